"""The code of docs/python.md and the sessions of README.md, taken out to be run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import checkpoints
import numpy as np

ROOT = Path(__file__).resolve().parents[3]


def blocks(page: str, kinds: tuple[str, ...]) -> list[tuple[int, str]]:
    """The blocks of a page whose fence says one of some words: line and code."""
    text = (ROOT / page).read_text()
    return [
        (text[: match.start(2)].count("\n") + 1, match[2])
        for match in re.finditer(r"^```([^\n`]*)\n(.*?)^```$", text, re.M | re.S)
        if match[1].strip() in kinds
    ]


def run(page: str, kinds: tuple[str, ...], names: dict) -> int:
    """Runs all blocks in order with shared names, and tells their number."""
    found = blocks(page, kinds)
    for line, code in found:
        # So that a failure names the page and the line.
        exec(compile("\n" * (line - 1) + code, page, "exec"), names)
    return len(found)


class Masked(doctest.OutputChecker):
    """Compares outputs but for ids and times, which differ each time."""

    def check_output(self, want: str, got: str, flags: int) -> bool:
        return super().check_output(_mask(want), _mask(got), flags)


def _mask(text: str) -> str:
    text = re.sub(r"\b[0-9a-f]{12}\b", "ID", text)
    text = re.sub(r"[\d,]+ new bytes", "N new bytes", text)  # the author's name is among them
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME", text)


def session(page: str) -> doctest.TestResults:
    """Runs the sessions (`>>>`) of a page in order, and compares what they print."""
    code = "\n".join("\n" * 1 + text for _, text in blocks(page, ("pycon",)))
    test = doctest.DocTestParser().get_doctest(code, {}, page, page, 0)
    assert test.examples
    runner = doctest.DocTestRunner(Masked(), optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test)
    return runner.summarize()


def folders(place: Path) -> None:
    """The folders that the page's code finds: a model and a fine-tune of it."""
    tensors, config = checkpoints.qwen3_moe(vocabulary=256)
    checkpoints.write_folder(place / "base", tensors, config)
    name = "model.layers.1.mlp.experts.3.up_proj.weight"
    tuned = {**tensors, name: tensors[name] + np.float32(0.01)}
    for layer in range(2):
        tuned[f"model.layers.{layer}.mlp.gate.weight"] = (
            tensors[f"model.layers.{layer}.mlp.gate.weight"] * np.float32(1.5))
    checkpoints.write_folder(place / "finetune", tuned, config)
