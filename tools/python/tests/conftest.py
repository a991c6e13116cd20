"""What the tests stand on: stores of tiny models, made with numpy alone."""

from __future__ import annotations

from pathlib import Path

import checkpoints
import pytest

import cambium


@pytest.fixture
def model():
    """A tiny Qwen3-MoE: tensors and config."""
    return checkpoints.qwen3_moe()


@pytest.fixture
def folder(tmp_path: Path, model) -> Path:
    """Its folder."""
    return checkpoints.write_folder(tmp_path / "checkpoint", *model)


@pytest.fixture
def store(tmp_path: Path, folder: Path):
    """A store with the model on its branch main."""
    made = cambium.init(tmp_path / "S")
    made.commit(folder, message="as it came")
    return made
