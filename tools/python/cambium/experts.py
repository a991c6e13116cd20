"""The experts of a layer."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._library import View, json_of, lib
from ._memory import Memory, framework_of
from .errors import NotFound

if TYPE_CHECKING:
    from .snapshot import Snapshot


class Part(NamedTuple):
    """A tensor of an expert, and where its bytes lie among the expert's."""

    name: str
    """Short: "gate_proj"."""
    tensor: str
    """Of the checkpoint; `{e}` is the expert's number, where each has a tensor of its own."""
    stacked: bool
    """Whether one tensor of the checkpoint holds this part of all experts."""
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


def _parts(records: list[dict[str, Any]]) -> tuple[Part, ...]:
    names = [record["tensor"].removesuffix(".weight").rsplit(".", 1)[-1] for record in records]
    if len(set(names)) < len(names):
        names = [record["tensor"].rsplit("{e}.", 1)[-1] for record in records]
    if len(set(names)) < len(names):
        names = [record["tensor"] for record in records]
    return tuple(
        Part(
            name, record["tensor"], record["stacked"], record["dtype"], tuple(record["shape"]),
            record["offset"], record["bytes"],
        )
        for name, record in zip(names, records)
    )


class Pool:
    """What is known of a pool, once for all who ask a snapshot for its experts."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.layer: int = record["layer"]
        self.name: str = record["pool"]
        self.kind: str = record["kind"]
        self.nbytes_each: int = record["expertBytes"]
        self.routers: list[str] = record["routers"]
        self.parts = _parts(record["parts"])
        self.count: int = record["experts"]
        self.ids: list[str] | None = None


class Experts(Sequence["Expert"]):
    """The experts of one pool: `snapshot.experts(3)[17]`.

    Numbers are an expert's for good; one that was removed leaves its number empty, which raises
    NotFound, and iterating skips.
    """

    def __init__(self, snapshot: Snapshot, pool: Pool, framework: str) -> None:
        self.snapshot = snapshot
        self.framework = framework_of(framework)
        self._of = pool
        self._count = pool.count
        self._pool = pool.name.encode()

    @property
    def layer(self) -> int:
        """The number of the layer."""
        return self._of.layer

    @property
    def pool(self) -> str:
        """The pool's name: "base" for the model's own experts."""
        return self._of.name

    @property
    def kind(self) -> str:
        """"neuron", "swiglu", "delta" or "tensors"."""
        return self._of.kind

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tensors of an expert, in the order of its bytes."""
        return self._of.parts

    @property
    def routers(self) -> list[str]:
        """The names of the tensors that route to these experts."""
        return self._of.routers

    @property
    def nbytes_each(self) -> int:
        """Bytes of one expert."""
        return self._of.nbytes_each

    def __len__(self) -> int:
        return self._count

    @property
    def ids(self) -> list[str]:
        """The id of each, 64 digits: equal for equal bytes. "" where there is none any more."""
        if self._of.ids is None:
            data = (ctypes.c_uint8 * (32 * self._count))()
            lib.snapshot_expert_ids(
                self.snapshot._number, self.layer, self._pool, 0, self._count, data
            )
            all_ids = bytes(data)
            zero = bytes(32)
            self._of.ids = [
                "" if (one := all_ids[at : at + 32]) == zero else one.hex()
                for at in range(0, len(all_ids), 32)
            ]
        return self._of.ids

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(self._count)) if self.ids[each]]
        ordinal = number.__index__()
        if ordinal < 0:
            ordinal += self._count
        if not 0 <= ordinal < self._count:
            raise NotFound(
                f"there is no expert {number} in {self.layer}/{self.pool}, "
                f"which has {self._count}"
            )
        return Expert(self, ordinal)

    def __iter__(self) -> Iterator[Expert]:
        return (Expert(self, number) for number, one in enumerate(self.ids) if one)

    def __reduce__(self):
        return _experts, (self.snapshot, self.layer, self.pool, self.framework)

    def __repr__(self) -> str:
        return (
            f"<Experts layer {self.layer} pool {self.pool}: {self._count} of "
            f"{self.nbytes_each:,} bytes ({', '.join(part.name for part in self.parts)})>"
        )


def _experts(snapshot: Snapshot, layer: int, pool: str, framework: str) -> Experts:
    return snapshot.experts(layer, pool, framework=framework)


class Expert:
    """One expert: its tensors, id and size."""

    __slots__ = ("experts", "ordinal", "_memory")

    def __init__(self, experts: Experts, ordinal: int) -> None:
        self.experts = experts
        self.ordinal = ordinal
        self._memory: Memory | None = None

    @property
    def layer(self) -> int:
        """The number of its layer."""
        return self.experts.layer

    @property
    def pool(self) -> str:
        """Its pool; "base" for the model's own experts."""
        return self.experts.pool

    @property
    def id(self) -> str:
        """Its content's SHA-256 as 64 digits: equal for equal bytes, wherever they are."""
        return self.experts.ids[self.ordinal]

    @property
    def nbytes(self) -> int:
        """Its bytes."""
        return self.experts.nbytes_each

    def _read(self) -> Memory:
        experts = self.experts
        snapshot = experts.snapshot
        if self._memory is None or self._memory.owner.generation != snapshot._generation:
            view = View()
            handle = snapshot._native()
            lib.snapshot_expert(
                handle.number, experts.layer, experts._pool, self.ordinal, 0, None,
                ctypes.byref(view),
            )
            self._memory = Memory.of(view, handle)
        return self._memory

    def get_tensor(self, name: str, *, framework: str | None = None) -> Any:
        """One part, by its short name, without copying where it is stored as it is; read-only.

        Raises NotFound.
        """
        memory = self._read()
        for part in self.experts.parts:
            if part.name == name:
                return memory.part(part.offset, part.nbytes, part.dtype, part.shape).as_framework(
                    self.experts.framework if framework is None else framework_of(framework)
                )
        raise NotFound(
            f"an expert of layer {self.layer} has no '{name}'; it has "
            f"{', '.join(part.name for part in self.experts.parts)}"
        )

    @property
    def data(self) -> np.ndarray:
        """Its parts one after the other, as bytes: uint8 [nbytes], as `get_tensor` gives them."""
        memory = self._read()
        return memory.part(0, memory.nbytes, "U8", (memory.nbytes,)).array()

    @property
    def tensors(self) -> dict[str, Any]:
        """Its parts by their short names, as `get_tensor` gives them."""
        return {part.name: self.get_tensor(part.name) for part in self.experts.parts}

    def shared_by(self) -> list[str]:
        """The branches and tags that have the same expert at the same place, "heads/main" say.

        Reads the tree of each.
        """
        return [
            {"branch": "heads/", "tag": "tags/"}[found["kind"]] + found["name"]
            for found in json_of(
                lib.snapshot_shared_by, self.experts.snapshot._number, self.layer,
                self.experts._pool, self.ordinal,
            )
        ]

    def __reduce__(self):
        return type(self), (self.experts, self.ordinal)

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{part.name} {part.dtype} {list(part.shape)}" for part in self.experts.parts
        )
        return f"<Expert {self.layer}/{self.pool}/{self.ordinal} {self.id[:12]} {parts}>"
