"""What the tests of torch and transformers stand on."""

from __future__ import annotations

import warnings

import pytest
import torch

import cambium

# torch and transformers say much that is of no interest here.
warnings.filterwarnings("ignore", module="torch.*")
# Tiny models only wait for each other's threads.
torch.set_num_threads(1)


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return cambium.init(tmp_path / "S")
