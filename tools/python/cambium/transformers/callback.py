"""A Trainer's saves as commits, and resuming from them."""

from __future__ import annotations

import json
import logging
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from .. import companions
from .. import open as open_store
from ..errors import NotFound
from .loading import from_pretrained

if TYPE_CHECKING:
    from ..records import Commit
    from ..store import Store

STEP_KEY = "trainer.step"
"""The commit's metadata that tells the Trainer's global step."""
_LOG = logging.getLogger(__name__)
_WEIGHTS = "model.safetensors"


class CambiumCallback(TrainerCallback):
    """Commits every save of a Trainer; resuming takes the weights of the commit.

    A save is the folder `checkpoint-N` as Trainer wrote it, committed to `branch` with the step,
    the loss and the newest evaluation as metrics. On resume (`train(resume_from_checkpoint=…)`)
    and for `load_best_model_at_end` the weights come from the branch's newest commit of that step,
    and every one must be there: Trainer's own loading skips the experts of models that are saved
    per expert.

    - `keep_files=False` removes from the folder what the commit has: weights, configuration,
      tokenizer. Optimizer, scheduler, random numbers and Trainer's state stay there, and resuming
      from the folder works.
    - `optimizer=True` keeps these in the store as well, beside the commit (`companions`), the
      newest of the branch only; `restore(directory)` writes them and the model back.
    - `commit` is the last commit.

    In a distributed run the first process commits; the others read the store when they resume.
    """

    def __init__(
        self, store: str | os.PathLike[str] | Store, branch: str = "main", *,
        keep_files: bool = True, optimizer: bool = False, message: str = "step {step}",
        metadata: dict[str, str] | None = None,
    ) -> None:
        path = getattr(store, "path", store)
        self.path = os.path.abspath(os.fspath(path))
        self.branch, self.keep_files, self.optimizer = branch, keep_files, optimizer
        self.message, self.metadata = message, metadata or {}
        self.commit: Commit | None = None

    # What Trainer calls

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not state.is_world_process_zero:
            return
        step = state.global_step
        folder = Path(args.output_dir, f"checkpoint-{step}")
        with open_store(self.path) as store:
            self.commit = store.commit(
                folder, branch=self.branch, message=self.message.format(step=step),
                metadata={**self.metadata, STEP_KEY: str(step)}, metrics=_metrics(state),
                allow_unchanged=True,
            )
            kept = set(store[self.commit.id].files)
        weights = {path.name for path in folder.iterdir() if _is_weights(path.name)}
        rest = [path for path in folder.iterdir()
                if path.is_file() and path.name not in kept | weights]
        if self.optimizer:
            companions.keep(
                self.path, self.commit.id, self.branch,
                {"kind": "trainer", "files": [path.name for path in rest]},
                {path.name: path for path in rest}, copy=True,
            )
        if not self.keep_files:
            for name in kept | weights:
                (folder / name).unlink(missing_ok=True)
            self._stand_in(folder)

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        if state.global_step and model is not None:
            self._load(model, state.global_step)

    def on_train_end(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        best = getattr(state, "best_global_step", None)
        if args.load_best_model_at_end and best and model is not None:
            self._load(model, best)

    # What users call

    def find(self, step: int) -> Commit:
        """The branch's newest commit of a step.

        Raises NotFound.
        """
        with open_store(self.path) as store:
            for commit in store.log(self.branch):
                if commit.metadata.get(STEP_KEY) == str(step):
                    return commit
        raise NotFound(f"no commit of '{self.branch}' is of step {step}")

    def restore(self, directory: str | os.PathLike[str], step: int | None = None) -> Path:
        """Writes a folder that Trainer resumes from: the model, and what `optimizer=True` kept.

        `step` None is the branch's head. Raises NotFound, also when the optimizer state is gone.
        """
        with open_store(self.path) as store:
            snapshot = store[self.branch if step is None else self.find(step).id]
            folder = Path(directory, f"checkpoint-{snapshot.metadata.get(STEP_KEY, '0')}")
            companion = companions.find(self.path, snapshot.id)
            if companion is None or companion.index.get("kind") != "trainer":
                raise NotFound(f"no optimizer state is kept beside {snapshot.id[:12]}")
            snapshot.save_pretrained(folder)
            for name in companion.index["files"]:
                source = companion.path(name)
                (folder / source.name).write_bytes(source.read_bytes())
        return folder

    # Parts of them

    def _stand_in(self, folder: Path) -> None:
        """What Trainer takes for weights when it resumes, and from_pretrained refuses: a
        configuration wants a number for the vocabulary's size, so that the text becomes the error.
        """
        assert self.commit is not None
        place = f"the model is commit {self.commit.id[:12]} of the store {self.path}"
        config = {"model_type": "kept_in_a_cambium_store", "vocab_size": place}
        (folder / "config.json").write_text(json.dumps(config))
        header = json.dumps({"__metadata__": {"cambium": place}}).encode()
        (folder / _WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header)

    def _load(self, model: Any, step: int) -> None:
        inner = getattr(model, "module", model)
        if hasattr(inner, "peft_config"):
            return  # Trainer loads adapters whole
        commit = self.find(step)
        with open_store(self.path) as store:
            loaded = from_pretrained(
                store[commit.id], model_class=type(inner), config=inner.config, copy=False,
                dtype=next(inner.parameters()).dtype,
            )
        with torch.no_grad():
            inner.load_state_dict(loaded.state_dict(), strict=True)
        _LOG.info("took the weights of step %d from commit %s", step, commit.id[:12])


def _is_weights(name: str) -> bool:
    return name.startswith(("model", "pytorch_model")) and name.endswith(
        (".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json")
    )


def _metrics(state: Any) -> dict[str, float]:
    """The newest numbers of Trainer's log: the loss and evaluations."""
    found: dict[str, float] = {}
    for entry in state.log_history:
        for name, value in entry.items():
            if name in ("loss", "grad_norm") or name.startswith("eval_"):
                if isinstance(value, (int, float)) and math.isfinite(value):
                    found[name] = float(value)
    return found
