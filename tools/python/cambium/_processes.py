"""Which process this is, and counts of native handles."""

from __future__ import annotations

import os
from typing import Any

from ._library import lib

generation = 0
"""How often this process was forked from one that had loaded the package."""


def _forked() -> None:
    global generation
    generation += 1


os.register_at_fork(after_in_child=_forked)


class Handle:
    """One count of a native handle, given back when nothing refers to this object any more.

    Arrays over mapped memory refer to it, so that the memory stays as long as they do. A child
    process leaves its parent's handles alone.
    """

    __slots__ = ("number", "generation", "__weakref__")

    def __init__(self, number: int) -> None:
        self.number = number
        self.generation = generation

    def __del__(self, release: Any = lib.release) -> None:
        if self.generation == generation:
            try:
                release(self.number)
            except Exception:
                pass  # closed already; there is nobody to tell

    def __reduce__(self):
        raise TypeError("a native handle stays in its process")
