"""Loads of torch.distributed.checkpoint from a store, into any number of ranks."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import torch
from torch.distributed.checkpoint import StorageReader as Reader
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import LoadItemType, LoadPlan, LoadPlanner, ReadItem
from torch.futures import Future

from .. import companions, dtypes
from .. import open as open_store
from ..errors import BadInput, Corrupt
from .live import LiveTensors
from .writer import ROOT_KEY

if TYPE_CHECKING:
    from ..snapshot import Snapshot
    from ..store import Store


class StorageReader(Reader):
    """Loads a commit with `dcp.load`: whatever ranks saved it, and commits that nobody saved so.

    Each rank reads what its own shards need, from the map. Names may be those of the checkpoint or
    of a live model (`….experts.gate_up_proj`), below the key `root` if the save had one, or as
    given. Optimizer state is there when it was kept with the commit and is not dropped.

    Nothing is unpickled: numbers and texts are JSON beside the commit.
    """

    def __init__(
        self, store: str | os.PathLike[str] | Store, revision: str = "HEAD", *,
        root: str | None = None,
    ) -> None:
        path = getattr(store, "path", store)
        self.path = os.path.abspath(os.fspath(path))
        self.revision, self.root = revision, root
        self.reset()

    # What torch calls, in this order

    def reset(self, checkpoint_id: str | os.PathLike[str] | None = None) -> None:
        if checkpoint_id is not None:
            self.revision = os.fspath(checkpoint_id)
        self._live: LiveTensors | None = None
        self._companion: companions.Companion | None = None
        self._prefix = ""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        with open_store(self.path) as store:
            snapshot = store[self.revision]
        self._live = LiveTensors(snapshot)
        recorded = snapshot.metadata.get(ROOT_KEY, "")
        root = recorded if self.root is None else self.root
        self._prefix = f"{root}." if root else ""
        found: dict[str, Any] = {}
        paths: dict[str, tuple[Any, ...]] = {}
        for name, info in self._live.items():
            fqn = self._prefix + name
            found[fqn] = _tensor(info.dtype, info.shape, [((0,) * len(info.shape), info.shape)])
            paths[fqn] = (root, name) if root else (name,)
        self._companion = companions.find(self.path, snapshot.id)
        if self._companion is not None and self._companion.index.get("kind") == "dcp":
            self._add_companion(found, paths)
        return Metadata(state_dict_metadata=found, planner_data=paths)

    def set_up_storage_reader(
        self, metadata: Metadata, is_coordinator: bool, *args: Any, **kwargs: Any
    ) -> None:
        pass

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        return plan

    def prepare_global_plan(self, plans: list[LoadPlan]) -> list[LoadPlan]:
        return plans

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> Future[None]:
        opened: dict[str, Any] = {}
        for item in plan.items:
            if item.type == LoadItemType.BYTE_IO:
                # torch's planner unpickles what it is given: this was pickled a moment ago.
                data = io.BytesIO()
                torch.save(self._value(item.storage_index.fqn), data)
                data.seek(0)
                planner.load_bytes(item, data)
                continue
            target = planner.resolve_tensor(item).detach()
            self._read(item, target, opened)
            planner.commit_tensor(item, target)
        future: Future[None] = Future()
        future.set_result(None)
        return future

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike[str]) -> bool:
        return False

    # Parts of them

    @property
    def snapshot(self) -> Snapshot:
        """The commit that is read; there after `read_metadata`."""
        assert self._live is not None
        return self._live.snapshot

    def _add_companion(self, found: dict[str, Any], paths: dict[str, tuple[Any, ...]]) -> None:
        assert self._companion is not None
        index = self._companion.index
        try:
            for fqn, stored in index["tensors"].items():
                chunks = [(chunk["offsets"], chunk["shape"]) for chunk in stored["chunks"]]
                found[fqn] = _tensor(stored["dtype"], stored["shape"], chunks)
            for fqn in index["values"]:
                found[fqn] = BytesStorageMetadata()
            paths.update({fqn: tuple(path) for fqn, path in index["paths"].items()})
        except (AttributeError, KeyError, TypeError, ValueError, BadInput) as error:
            folder = self._companion.folder
            raise Corrupt(f"{folder} does not say what it has: {error}") from None

    def _value(self, fqn: str) -> Any:
        assert self._companion is not None
        return companions.decode(self._companion.index["values"][fqn])

    def _read(self, item: ReadItem, target: torch.Tensor, opened: dict[str, Any]) -> None:
        assert self._live is not None
        fqn = item.storage_index.fqn
        name = fqn.removeprefix(self._prefix) if fqn.startswith(self._prefix) else ""
        if name in self._live:
            return self._live.read_into(name, target, tuple(item.storage_offsets))
        chunk = self._chunk(item.storage_index)
        assert self._companion is not None
        path = str(self._companion.path(chunk["file"]))
        if path not in opened:
            from safetensors import safe_open

            opened[path] = safe_open(path, framework="pt")
        box = tuple(slice(at, at + size) for at, size in zip(item.storage_offsets, item.lengths))
        source = opened[path].get_slice(chunk["name"])
        target.copy_(source[box] if box else opened[path].get_tensor(chunk["name"]))

    def _chunk(self, index: MetadataIndex) -> dict[str, Any]:
        assert self._companion is not None
        for chunk in self._companion.index["tensors"][index.fqn]["chunks"]:
            if index.offset is None or tuple(chunk["offsets"]) == tuple(index.offset):
                return chunk
        raise Corrupt(f"{self._companion.folder} has no chunk of '{index.fqn}' at {index.offset}")


def _tensor(dtype: str, shape: Any, chunks: Any) -> TensorStorageMetadata:
    return TensorStorageMetadata(
        TensorProperties(dtypes.torch_type(dtype)), torch.Size(shape),
        [ChunkStorageMetadata(torch.Size(at), torch.Size(size)) for at, size in chunks],
    )
