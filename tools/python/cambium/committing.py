"""Commits of whole models: folders, state dicts and mappings of arrays."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ._library import ALLOW_UNCHANGED, ALLOW_UNFIT, ALONE, BAKE, CommitOptions, json_of, lib
from .errors import BadInput, CambiumError
from .fused import per_expert
from .given import Given, Structures, content_of, given
from .progress import watched
from .records import CommitResult
from .sizes import seconds

if TYPE_CHECKING:
    from .store import Store


def options(
    kept: Structures, message: str, *, branch: str | None = None, parent: str | None = None,
    author: str | None = None, time: datetime | int | float | None = None,
    metadata: Mapping[str, Any] | None = None, metrics: Mapping[str, float] | None = None,
    allow_unchanged: bool = False, allow_unfit: bool = False, alone: bool = False,
) -> Any:
    """`cambium_commit_options`, which `kept` keeps."""
    pairs = kept.pairs(metadata, "metadata")
    numbers = kept.numbers(metrics, "metrics")
    made = CommitOptions(
        message=kept.text(message, "the message"), branch=kept.text(branch, "the branch"),
        parent=kept.text(parent, "the parent"), author=kept.text(author, "the author"),
        time=seconds(time), metadata=pairs, metadata_count=len(pairs), metrics=numbers,
        metric_count=len(numbers),
        flags=(ALLOW_UNCHANGED if allow_unchanged else 0) | (ALLOW_UNFIT if allow_unfit else 0)
        | (ALONE if alone else 0),
    )
    return ctypes.byref(made)


def _commit_path(
    function: Any, store: Store, path: str | os.PathLike[str], message: str, progress: Any,
    wishes: dict[str, Any], *words: Any,
) -> CommitResult:
    kept = Structures()
    chosen = options(kept, message, **wishes)
    place = kept.text(os.fspath(path), "the path")
    words = tuple(kept.text(one, "the base") if isinstance(one, str) else one for one in words)
    with watched(progress) as callback:
        return CommitResult(
            json_of(function, store._writer, place, *words, chosen, callback, None))


def commit_folder(
    store: Store, path: str | os.PathLike[str], message: str, progress: Any, wishes: dict[str, Any]
) -> CommitResult:
    """Commits a checkpoint's folder or file."""
    return _commit_path(lib.commit_folder, store, path, message, progress, wishes)


def commit_adapter(
    store: Store, path: str | os.PathLike[str], base: str, bake: bool, message: str, progress: Any,
    wishes: dict[str, Any],
) -> CommitResult:
    """Commits an adapter of peft, or what it makes of its base."""
    flags = BAKE if bake else 0
    return _commit_path(lib.commit_adapter, store, path, message, progress, wishes, base, flags)


def commit_patch(
    store: Store, path: str | os.PathLike[str], message: str, progress: Any, wishes: dict[str, Any]
) -> CommitResult:
    """Commits what a patch file changes."""
    return _commit_path(lib.patch_file, store, path, message, progress, wishes)


def commit_tensors(
    store: Store, tensors: Mapping[str, Any], message: str, *, config: Any,
    files: Mapping[str, Any] | None, header: Mapping[str, str] | None, progress: Any,
    wishes: dict[str, Any],
) -> CommitResult:
    """Commits a model that is in memory."""
    contents = {name: content_of(value, f"the file '{name}'") for name, value in
                (files or {}).items()}
    if config is not None:
        contents["config.json"] = content_of(config, "the config")
    found = {_checked(name): given(name, value) for name, value in tensors.items()}
    head = _Head(store, wishes.get("branch"))
    about = _parsed(contents["config.json"]) if "config.json" in contents else head.config()
    found = _untied(found, about)
    found = per_expert(found, about.get("model_type"), head.names)
    kept = Structures()
    chosen = options(kept, message, **wishes)
    pairs = None if header is None else kept.pairs(header, "header")
    with watched(progress) as callback:
        return CommitResult(
            json_of(
                lib.commit_tensors, store._writer, kept.tensors(found), len(found),
                kept.files(contents), len(contents), pairs, len(pairs or ()), chosen, callback,
                None,
            )
        )


class _Head:
    """The model that a branch is at, where there is one."""

    def __init__(self, store: Store, branch: str | None) -> None:
        self._store = store
        self._branch = branch

    def _snapshot(self) -> Any:
        for revision in (self._branch, "HEAD"):
            try:
                if revision is not None:
                    return self._store[revision]
            except CambiumError:
                continue
        return None

    def config(self) -> dict[str, Any]:
        snapshot = self._snapshot()
        return snapshot.config if snapshot is not None else {}

    def names(self) -> set[str]:
        snapshot = self._snapshot()
        return set(snapshot) if snapshot is not None else set()


def _checked(name: Any) -> str:
    if not isinstance(name, str):
        raise BadInput(f"the tensor's name {name!r} is a {type(name).__name__}, not a text",
                       "bad-name")
    return name


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        config = json.loads(content)
    except ValueError:
        return {}  # the library says what is wrong
    return config if isinstance(config, dict) else {}


def _untied(tensors: dict[str, Given], config: dict[str, Any]) -> dict[str, Given]:
    """Without a head that is the embedding's own memory, where the config ties them: as
    save_pretrained leaves it out."""
    if not config.get("tie_word_embeddings"):
        return tensors
    embeddings = {
        one.address for name, one in tensors.items() if name.endswith("embed_tokens.weight")
    }
    return {
        name: one for name, one in tensors.items()
        if not (name.endswith("lm_head.weight") and one.address in embeddings)
    }
