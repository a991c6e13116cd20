"""Collection, verification and figures of a store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import companions
from ._library import encoded, json_of, lib
from .progress import watched
from .records import CollectResult, VerifyResult
from .sizes import whole


class Care:
    """The part of `Store` that keeps it sound and small."""

    path: str
    if TYPE_CHECKING:
        @property
        def _number(self) -> int: ...

        @property
        def _writer(self) -> int: ...

    def gc(self, *, prune: bool = False, grace: int | None = None) -> CollectResult:
        """Finds what no branch, tag, young move of one or reader needs; with `prune`, removes it.

        What is kept beside commits, optimizer states, goes where no branch is at its commit.

        `grace`: seconds for which moves of branches keep commits; None for 14 days.
        """
        result = CollectResult(
            json_of(
                lib.collect, self._writer if prune else self._number, bool(prune),
                -1 if grace is None else whole(grace, "the grace period"),
            )
        )
        heads = {one["id"] for one in json_of(lib.branches, self._number)}
        result.data["companionBytes"] = companions.collect(self.path, heads, prune=prune)
        return result

    def verify(self, *, fast: bool = False, progress: Any = None) -> VerifyResult:
        """Checks every byte against its name; `fast`: structure and references only.

        Faults are a result: `store.verify().faults`.
        """
        with watched(progress) as callback:
            return VerifyResult(json_of(lib.verify, self._number, bool(fast), callback, None))

    def status(self) -> dict[str, Any]:
        """What the store is at a glance, at once."""
        return json_of(lib.overview, self._number)

    def stats(self) -> dict[str, Any]:
        """Sizes; reads the store's whole history."""
        return json_of(lib.statistics, self._number)


def repack(
    path: str | os.PathLike[str], *, compress: bool = False, progress: Any = None
) -> dict[str, Any]:
    """Gives free pages of a store back to the disk; nobody may have it open, this process neither.

    `compress`: what only older commits need. Raises StorageFailure ("busy").
    """
    with watched(progress) as callback:
        return json_of(lib.repack, encoded(path, "the path"), bool(compress), callback, None)


def migrate(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Brings a store of an older format to the current one: {"from", "to"}."""
    return json_of(lib.migrate, encoded(path, "the path"))
