"""What differs between two revisions' models."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import dtypes
from .html import code, numbers, size, table
from .records import Record

if TYPE_CHECKING:
    from .snapshot import Snapshot
    from .store import Store


class Diff(Record):
    """What differs between two revisions' models."""

    def __init__(self, data: dict[str, Any], store: Store) -> None:
        super().__init__(data)
        self._store = store

    @property
    def identical(self) -> bool:
        """Whether the models are the same."""
        return self.data["identical"]

    @property
    def pools(self) -> list[dict[str, Any]]:
        """What changed in each pool, by layer."""
        return self.data["pools"]

    @property
    def experts(self) -> dict[int, list[int]]:
        """The numbers of the base's experts that changed, came or went, by layer; {} for a layer
        without."""
        found: dict[int, list[int]] = _Layers()
        for pool in self.pools:
            if pool["pool"] == "base":
                found[pool["layer"]] = sorted(
                    {*(one["ordinal"] for one in pool["changed"]), *pool["added"],
                     *pool["removed"]}
                )
        return found

    @property
    def tensors(self) -> dict[str, str]:
        """Tensors beside experts that changed, by name: "added", "removed" or "changed"."""
        found = {one["name"]: one["kind"] for one in self.data["trunk"]}
        for pool in self.pools:
            found.update((one["tensor"], "changed") for one in pool["routers"])
        return found

    @property
    def files(self) -> dict[str, str]:
        """Files that changed, by name: "added", "removed" or "changed"."""
        return {one["name"]: one["kind"] for one in self.data["files"]}

    @cached_property
    def bytes(self) -> int:
        """Bytes of the experts and tensors that the newer model has anew or otherwise."""
        if self.identical:
            return 0
        snapshot: Snapshot = self._store[self.data["to"]]
        weights = {(one["layer"], one["pool"]): one["expertBytes"] for one in snapshot.pools}
        total = 0
        for pool in self.pools:
            each = weights.get((pool["layer"], pool["pool"]), 0)
            total += each * (len(pool["changed"]) + len(pool["added"]))
        for name, kind in self.tensors.items():
            if kind != "removed" and name in snapshot:
                info = snapshot.info(name)
                total += dtypes.nbytes(info.dtype, info.shape)
        return total

    def _repr_html_(self) -> str:
        title = f"{code(self.data['from'][:12])} → {code(self.data['to'][:12])}"
        if self.identical:
            return f"{title}: the same model"
        rows = []
        for pool in self.pools:
            where = f"layer {pool['layer']}" + (
                "" if pool["pool"] == "base" else f", {pool['pool']}")
            changed = [one["ordinal"] for one in pool["changed"]]
            for kind, found in (
                ("changed", changed), ("new", pool["added"]), ("removed", pool["removed"])
            ):
                if found:
                    rows.append((where, kind, f"experts {numbers(found)}"))
            rows += [
                (where, "changed", f"{one['tensor']}, rows {numbers(one['rows'])}")
                for one in pool["routers"]
            ]
        rows += [("tensor", one["kind"], one["name"]) for one in self.data["trunk"][:50]]
        rows += [("file", kind, name) for name, kind in self.files.items()]
        return table(("where", "", "what"), rows, f"{title}: {size(self.bytes)}")

    def __repr__(self) -> str:
        start = f"<Diff {self.data['from'][:12]}..{self.data['to'][:12]}"
        if self.identical:
            return f"{start}: identical>"
        experts = sum(map(len, self.experts.values()))
        return (
            f"{start}: {experts} experts in {len(self.experts)} layers, "
            f"{len(self.tensors)} tensors, {len(self.files)} files, {self.bytes:,} bytes>"
        )


class _Layers(dict[int, list[int]]):
    def __missing__(self, layer: int) -> list[int]:
        return []
