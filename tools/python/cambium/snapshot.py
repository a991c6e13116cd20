"""One commit's model, mapped for reading."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _processes, dtypes
from ._library import PLAIN, OVERWRITE, READ_CHECKED, View, encoded, id_of, json_of, lib
from ._memory import Memory, empty, first_rows, framework_of
from ._processes import Handle
from .errors import BadInput, Closed, NotFound
from .experts import Experts, Pool
from .html import code, escape, size, table
from .plots import plot_experts
from .progress import watched
from .readahead import read_ahead
from .records import Commit
from .tensor import Tensor, TensorInfo

if TYPE_CHECKING:
    from .store import Store


class Snapshot(Mapping[str, Tensor]):
    """One commit's model: a mapping of its tensors' names to lazy tensors.

    Nothing of the weights is read before it is asked for; the commit is kept from being collected
    as long as this object, or an array of it, lives. Any thread may read. It pickles as the store's
    path and the commit's id, and a forked process opens it anew when it first uses it.
    """

    def __init__(self, store: Store, revision: str, framework: str = "np") -> None:
        self.framework = framework_of(framework)
        self._store = store._reopenable()
        number = ctypes.c_void_p()
        lib.snapshot_open(store._number, encoded(revision, "the revision"), ctypes.byref(number))
        self._handle: Handle | None = Handle(number.value or 0)
        self._generation = _processes.generation
        self.id: str = id_of(lib.snapshot_id, number)
        """The commit's id, 64 digits."""
        self.tree: str = id_of(lib.snapshot_tree, number)
        """The model's id: equal for equal models."""
        self._arrays: dict[str, np.ndarray] = {}
        self._tensors: dict[str, Any] = {}

    # Handles

    def _native(self) -> Handle:
        handle = self._handle
        if handle is None:
            raise Closed(f"the snapshot {self.id[:12]} is closed")
        if handle.generation != _processes.generation:
            handle = self._reopened()
        return handle

    def _reopened(self) -> Handle:
        number = ctypes.c_void_p()
        lib.snapshot_open(self._store._number, self.id.encode(), ctypes.byref(number))
        self._handle = handle = Handle(number.value or 0)
        self._arrays, self._tensors = {}, {}
        self._generation = handle.generation
        return handle

    @property
    def _number(self) -> int:
        return self._native().number

    def close(self) -> None:
        """Lets go of the commit. Arrays that were taken stay valid, and keep it until they go."""
        self._handle = None
        self._arrays, self._tensors = {}, {}

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._handle is None

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self):
        return _snapshot, (self._store, self.id, self.framework)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self.id == other.id and self._store.path == other._store.path

    def __hash__(self) -> int:
        return hash((self._store.path, self.id))

    # What it is

    @property
    def store(self) -> Store:
        """The store that it is of."""
        return self._store

    @property
    def commit(self) -> Commit:
        """The commit as it is now, with its references and notes."""
        return Commit(json_of(lib.snapshot_commit, self._number))

    @property
    def message(self) -> str:
        """The commit's message."""
        return self.commit.message

    @property
    def metadata(self) -> dict[str, str]:
        """The commit's texts by key."""
        return self.commit.metadata

    @property
    def metrics(self) -> dict[str, float]:
        """The commit's numbers by name."""
        return self.commit.metrics

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What the model consists of, as the command `ls --json` tells it."""
        return json_of(lib.snapshot_summary, self._number)

    @cached_property
    def files(self) -> list[str]:
        """The names of the files that are kept byte for byte, such as config.json."""
        return json_of(lib.snapshot_files, self._number)

    def file(self, name: str) -> bytes:
        """A copy of a file.

        Raises NotFound.
        """
        view = View()
        handle = self._native()
        lib.snapshot_file(handle.number, encoded(name, "the file's name"), ctypes.byref(view))
        return Memory.of(view, handle).array().tobytes()

    @cached_property
    def config(self) -> dict[str, Any]:
        """What config.json says; empty where there is none."""
        return json.loads(self.file("config.json")) if "config.json" in self.files else {}

    # Names

    @cached_property
    def _infos(self) -> dict[str, TensorInfo]:
        return {
            one["name"]: TensorInfo(one["dtype"], tuple(one["shape"]))
            for one in json_of(lib.snapshot_tensors, self._number)
        }

    def info(self, name: str) -> TensorInfo:
        """A tensor's dtype and shape, without its data.

        Raises NotFound.
        """
        found = self._infos.get(name)
        if found is None:
            raise NotFound(f"there is no tensor {name!r} in {self.id[:12]}")
        return found

    def __getitem__(self, name: str) -> Tensor:
        return Tensor(self, name, self.info(name), self.framework)

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def __contains__(self, name: object) -> bool:
        return name in self._infos

    def get_slice(self, name: str, *, framework: str | None = None) -> Tensor:
        """A lazy tensor, which indices give arrays of; of a first index only its rows are read.

        Raises NotFound.
        """
        chosen = self.framework if framework is None else framework_of(framework)
        return Tensor(self, name, self.info(name), chosen)

    def with_framework(self, framework: str) -> Snapshot:
        """The same snapshot whose tensors give arrays ("np") or torch tensors ("pt")."""
        return Snapshot(self._store, self.id, framework)

    # Data

    def get_tensor(
        self, name: str, *, framework: str | None = None, device: Any = None, copy: bool = False,
        check: bool = False,
    ) -> Any:
        """A tensor's data, row-major.

        Read-only and a view of the store's map, at the same address each time, where it is stored
        as it is: nothing is copied, and the kernel is asked to read ahead what a disk still has
        of it (`snap[name][rows]` reads those rows alone). Where it is not (a tensor that stacks
        experts, one kept compressed or as a difference), it is put together in memory of its own.
        It stays valid after `close()`.

        `framework`: "np" (BF16 and FP8 in the types of ml_dtypes where that is installed, else
        unsigned ones of the same size, and `info()` tells) or "pt". Writing into a torch tensor of
        the map ends the process; `copy=True` gives a writable one. `device`: copied there by
        pread, without a page of the map. `check`: hash what is stored against its name first.

        Raises NotFound, Corrupt, Closed.
        """
        chosen = self.framework if framework is None else framework_of(framework)
        if device is not None and chosen != "pt":
            raise BadInput("a device goes with framework='pt'", "usage")
        if check:
            self._memory(name, READ_CHECKED)
        if copy or (device is not None and str(device) != "cpu"):
            return self._copied(name, chosen, device)
        return self._whole(name, chosen, ahead=True)

    def _whole(self, name: str, chosen: str, *, ahead: bool) -> Any:
        cache: dict[str, Any] = self._tensors if chosen == "pt" else self._arrays
        if self._handle is not None and self._generation == _processes.generation:
            found = cache.get(name)
            if found is not None:
                # An object of its own, since what is changed of one would show in the other.
                return found.view() if chosen == "np" else found.detach()
        memory = self._memory(name)
        result = memory.as_framework(chosen)
        if not memory.mapped:
            return result
        if ahead:
            read_ahead(memory.address, memory.nbytes)
        cache = self._tensors if chosen == "pt" else self._arrays
        cache[name] = result
        return result.view() if chosen == "np" else result.detach()

    def _memory(self, name: str, flags: int = 0) -> Memory:
        view = View()
        handle = self._native()
        lib.snapshot_tensor(
            handle.number, encoded(name, "the tensor's name"), flags, ctypes.byref(view)
        )
        return Memory.of(view, handle)

    def _copied(self, name: str, framework: str, device: Any) -> Any:
        info = self.info(name)
        result, address, count = empty(info.dtype, info.shape, framework)
        lib.snapshot_read(self._number, encoded(name, "the name"), 0, -1, address, count)
        return result if device is None else result.to(device)

    def _indexed(self, name: str, index: Any, framework: str) -> Any:
        info = self.info(name)
        rows = None
        if name not in self._arrays and not dtypes.is_packed(info.dtype):
            rows = first_rows(index, info.shape)
        if rows is None:
            return self.get_tensor(name, framework=framework)[index]
        first, count, rest = rows
        view = View()
        handle = self._native()
        lib.snapshot_rows(
            handle.number, encoded(name, "the tensor's name"), first, count, 0, ctypes.byref(view)
        )
        memory = Memory.of(view, handle)
        found = memory.as_framework(framework)
        if memory.mapped:
            # All of it is, and the next index finds it.
            self._whole(name, "np", ahead=False)
        if framework == "pt" and isinstance(rest[0], slice) and (rest[0].step or 1) < 0:
            raise BadInput("torch has no negative steps", "usage")
        return found[rest]

    def state_dict(self, *, framework: str = "pt") -> dict[str, Any]:
        """All tensors as `get_tensor` gives them."""
        return {name: self.get_tensor(name, framework=framework) for name in self}

    # Experts

    @cached_property
    def pools(self) -> list[dict[str, Any]]:
        """The pools of experts and the tensors that hold them, as cambium_snapshot_pools tells."""
        return json_of(lib.snapshot_pools, self._number)

    @cached_property
    def _known_pools(self) -> dict[tuple[int, str], Pool]:
        return {(one["layer"], one["pool"]): Pool(one) for one in self.pools}

    @property
    def layers(self) -> list[int]:
        """The numbers of the layers that have experts."""
        return sorted({pool["layer"] for pool in self.pools})

    def experts(
        self, layer: int, pool: str = "base", *, framework: str | None = None
    ) -> Experts:
        """The experts of a layer: `snapshot.experts(3)[17].tensors`.

        Raises NotFound.
        """
        found = self._known_pools.get((layer, pool))
        if found is None:
            known = ", ".join(f"{one}/{name}" for one, name in self._known_pools) or "none"
            raise NotFound(
                f"there are no experts {layer}/{pool} in {self.id[:12]}; there are {known}"
            )
        return Experts(self, found, framework or self.framework)

    # Files

    def export(
        self, directory: str | os.PathLike[str], *, overwrite: bool = False, plain: bool = False,
        progress: Any = None,
    ) -> dict[str, Any]:
        """Writes the checkpoint as it was committed, byte for byte; as `export --json` tells it.

        `plain` leaves out what transformers would not read. Raises Exists for a folder that is not
        empty, without `overwrite`.
        """
        flags = (OVERWRITE if overwrite else 0) | (PLAIN if plain else 0)
        with watched(progress) as callback:
            return json_of(
                lib.export, self._store._number, self.id.encode(),
                encoded(directory, "the directory"), flags, callback, None,
            )

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], *, progress: Any = None
    ) -> None:
        """Writes a folder that transformers' `from_pretrained` reads, over what is there."""
        self.export(save_directory, overwrite=True, plain=True, progress=progress)

    # Looking

    def plot_experts(
        self, *, against: str | None = None, pool: str = "base", ax: Any = None
    ) -> Any:
        """A picture by matplotlib with a square for each expert: how large its weights are, which
        reads them all; or, against a revision, whether it changed, which reads ids.

        Returns the axes. Raises NotFound for a model without experts.
        """
        return plot_experts(self, against, pool, ax)

    def _repr_html_(self) -> str:
        rows = [
            (f"layer {one['layer']}", one["pool"], one["experts"], size(one["expertBytes"]))
            for one in self.pools[:40]
        ]
        total = sum(info.nbytes for info in self._infos.values())
        title = (
            f"{code(self.id[:12])} {escape(self.commit.subject)}: {len(self):,} tensors, "
            f"{size(total)}"
        )
        return table(("experts of", "pool", "number", "each"), rows, title)

    def __repr__(self) -> str:
        return f"<Snapshot {self.id[:12]} of {self._store.path}: {len(self)} tensors>"


def _snapshot(store: Store, id: str, framework: str) -> Snapshot:
    return Snapshot(store, id, framework)
