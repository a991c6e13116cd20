"""Saves of torch.distributed.checkpoint as commits."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.distributed.checkpoint import StorageWriter as Writer
from torch.distributed.checkpoint.metadata import Metadata, MetadataIndex, TensorStorageMetadata
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner, WriteItem, WriteItemType
from torch.distributed.checkpoint.storage import WriteResult
from torch.futures import Future

from .. import companions
from .. import open as open_store
from ..errors import BadInput, NotFound
from . import staging
from .staging import Piece, Staging

if TYPE_CHECKING:
    from ..records import Commit
    from ..store import Store

ROOT_KEY = "dcp.root"
"""The commit's metadata that tells the key below which the state dict had the model."""


class StorageWriter(Writer):
    """Commits what `dcp.save` or `dcp.async_save` is given; one object may save many times.

    The model is what the state dict has below the key `root`, or, where it has no such dictionary,
    its own tensors. Its names may be those of a live model or of a checkpoint. The rest (optimizer
    state, numbers) is left out, or with `optimizer=True` kept beside the commit (`companions`):
    the newest of each branch.

    Each rank but the first writes its model's shards to a file below the store, which all ranks
    must reach; the first takes its own from memory, puts shards together and commits once, in
    `finish`. A crash before leaves nothing; files of it go with the next save. Sharded tensors are
    copied once more in the first rank's memory, whole ones are not.

    - `branch`, `parent`, `message`, `metadata`, `metrics`: as `Store.commit` has them. The message
      is else the `checkpoint_id` given to `dcp.save`, else "checkpoint".
    - `config`, `files`: config.json (a dictionary or transformers' configuration) and other files
      by name; where neither is given, those of the branch's head stay.
    - `commit` is the last commit, on the first rank.

    Raises BranchMoved and the like through torch's CheckpointException; the branch is as it was.
    """

    def __init__(
        self, store: str | os.PathLike[str] | Store, branch: str | None = None,
        message: str | None = None, *, parent: str | None = None, config: Any = None,
        files: Mapping[str, bytes] | None = None, metadata: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None, root: str = "model", optimizer: bool = False,
    ) -> None:
        path = getattr(store, "path", store)
        self.path = os.path.abspath(os.fspath(path))
        self.branch, self.message, self.parent = branch, message, parent
        self.config, self.files, self.metadata, self.metrics = config, files, metadata, metrics
        self.root, self.optimizer = root, optimizer
        self.commit: Commit | None = None
        self.reset()

    # What torch calls, in this order

    def reset(self, checkpoint_id: str | os.PathLike[str] | None = None) -> None:
        self._id = checkpoint_id
        self._is_first = False
        self._paths: dict[str, tuple[Any, ...]] = {}
        self._nested = False
        self._held: dict[MetadataIndex, torch.Tensor] = {}
        self._staging: Staging | None = None

    def set_up_storage_writer(self, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:
        if not kwargs.get("use_collectives", True):
            raise BadInput(
                "a commit has the shards of all ranks: save with use_collectives=True", "usage"
            )
        self._is_first = is_coordinator

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        return plan

    def prepare_global_plan(self, plans: list[SavePlan]) -> list[SavePlan]:
        # A rank may have nothing of the model; it has to know that others do.
        nested = any(self._has_root(plan.planner_data) for plan in plans)
        return [dataclasses.replace(plan, storage_data=nested) for plan in plans]

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        self._paths, self._nested = dict(plan.planner_data or {}), bool(plan.storage_data)
        self._held = {}
        staging.clear(self.path)
        self._staging = Staging(self.path)
        results, model, rest = [], [], []
        for item in plan.items:
            is_bytes = item.type == WriteItemType.BYTE_IO
            name = None if is_bytes else self._model_name(item.index.fqn)
            if name is None and not self.optimizer:
                results.append(WriteResult(item.index, 0, None))
            elif is_bytes:
                results.append(_bytes(item, planner))
            elif name is not None and self._is_first:
                tensor = planner.resolve_data(item).detach().to("cpu")
                self._held[item.index] = tensor
                results.append(WriteResult(item.index, tensor.nbytes, None))
            else:
                (rest if name is None else model).append(item)
        for items in (model, rest):
            results += self._staged(items, planner)
        future: Future[list[WriteResult]] = Future()
        future.set_result(results)
        return future

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        self._paths = dict(metadata.planner_data or {})
        self._nested = self._has_root(self._paths)
        pieces = {one.index: one.storage_data for rank in results for one in rank}
        with _Files(self) as opened, open_store(self.path) as store:
            model = {}
            for fqn, stored in metadata.state_dict_metadata.items():
                name = self._model_name(fqn)
                if name is None or not isinstance(stored, TensorStorageMetadata):
                    continue
                model[name] = staging.assemble(stored.size, stored.properties.dtype, (
                    (chunk.offsets, opened.tensor(MetadataIndex(fqn, chunk.offsets), pieces))
                    for chunk in stored.chunks))
            if not model:
                raise BadInput(
                    f"the state dict has no tensors of a model: neither below {self.root!r} nor "
                    "at its top (root= names another key)"
                )
            self.commit = store.commit(
                model, branch=self.branch, parent=self.parent,
                message=self.message or str(self._id or "checkpoint"),
                metadata={**(self.metadata or {}), ROOT_KEY: self.root if self._nested else ""},
                metrics=self.metrics, allow_unchanged=True, **self._accompanying(store),
            )
            if self.optimizer:
                self._keep(store, metadata, pieces)
        self._end(pieces)

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike[str]) -> bool:
        return False

    # Parts of them

    def _model_name(self, fqn: str) -> str | None:
        """What a name of the flattened state dict is called in the model; None for the rest."""
        path = self._paths.get(fqn, (fqn,))
        if self._nested:
            inside = len(path) > 1 and path[0] == self.root
            return ".".join(map(str, path[1:])) if inside else None
        return fqn if len(path) == 1 else None

    def _has_root(self, paths: Mapping[str, tuple[Any, ...]] | None) -> bool:
        return any(len(path) > 1 and path[0] == self.root for path in (paths or {}).values())

    def _staged(self, items: list[WriteItem], planner: SavePlanner) -> list[WriteResult]:
        if not items:
            return []
        assert self._staging is not None
        tensors = [(str(number), planner.resolve_data(item)) for number, item in enumerate(items)]
        file = self._staging.write(tensors)
        return [WriteResult(item.index, tensor.nbytes, Piece(file, name))
                for item, (name, tensor) in zip(items, tensors)]

    def _accompanying(self, store: Store) -> dict[str, Any]:
        """The configuration and files of this commit."""
        if self.config is not None or self.files is not None:
            return {"config": self.config, "files": self.files}
        try:
            head = store[self.branch or "HEAD"]
        except NotFound:
            return {}
        return {"files": {name: head.file(name) for name in head.files}}

    def _keep(
        self, store: Store, metadata: Metadata, pieces: dict[MetadataIndex, Any]
    ) -> None:
        tensors, values, files = {}, {}, set()
        for fqn, stored in metadata.state_dict_metadata.items():
            if not isinstance(stored, TensorStorageMetadata):
                values[fqn] = pieces[MetadataIndex(fqn)]
                continue
            if self._model_name(fqn) is not None:
                continue
            chunks = []
            for chunk in stored.chunks:
                piece = pieces[MetadataIndex(fqn, chunk.offsets)]
                files.add(piece.file)
                chunks.append({"offsets": list(chunk.offsets), "shape": list(chunk.sizes),
                               "file": piece.file, "name": piece.name})
            tensors[fqn] = {"shape": list(stored.size), "chunks": chunks,
                            "dtype": staging.dtypes.name_of_torch(stored.properties.dtype)}
        paths = {fqn: list(self._paths[fqn]) for fqn in (*tensors, *values) if fqn in self._paths}
        assert self._staging is not None and self.commit is not None
        companions.keep(
            self.path, self.commit.id, self.branch,
            {"kind": "dcp", "tensors": tensors, "values": values, "paths": paths},
            {name: self._staging.path(name) for name in files},
        )

    def _end(self, pieces: dict[MetadataIndex, Any]) -> None:
        """Removes the files of all ranks."""
        assert self._staging is not None
        for file in {piece.file for piece in pieces.values() if isinstance(piece, Piece)}:
            if os.path.exists(path := self._staging.path(file)):
                os.unlink(path)
        self._staging.end()
        self._held = {}


def _bytes(item: WriteItem, planner: SavePlanner) -> WriteResult:
    """The value of an item that is no tensor, in its result: no store has a pickle of it."""
    data = planner.resolve_data(item)
    assert isinstance(data, io.BytesIO)
    data.seek(0)
    name = item.index.fqn
    try:
        value = torch.load(data, weights_only=True)
    except Exception as error:
        raise BadInput(f"'{name}' cannot be kept: only plain data can ({error})") from None
    encoded = companions.encode(value, name)
    return WriteResult(item.index, len(data.getvalue()), encoded)


class _Files:
    """The staged files of all ranks, mapped while a commit is made."""

    def __init__(self, writer: StorageWriter) -> None:
        self.writer = writer
        self.opened: dict[str, Any] = {}

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: Any) -> None:
        self.opened.clear()

    def tensor(self, index: MetadataIndex, pieces: dict[MetadataIndex, Any]) -> torch.Tensor:
        """A chunk of a tensor: held, or mapped from a rank's file."""
        if index in self.writer._held:
            return self.writer._held[index]
        piece = pieces[index]
        if piece.file not in self.opened:
            from safetensors import safe_open

            assert self.writer._staging is not None
            path = self.writer._staging.path(piece.file)
            self.opened[piece.file] = safe_open(path, framework="pt")
        return self.opened[piece.file].get_tensor(piece.name)
