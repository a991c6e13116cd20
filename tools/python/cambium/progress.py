"""How far long work has come, and what ends it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ._library import Progress
from .errors import Cancelled

Watcher = Callable[[str, int, int], Any]
"""Told a phase, what is done and the total; ends the work by returning False or raising."""


class _Bar:
    """tqdm's bar, one for each phase."""

    def __init__(self) -> None:
        from tqdm.auto import tqdm

        self._make = tqdm
        self._bar: Any = None
        self._phase = ""

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase != self._phase:
            self.close()
            self._phase = phase
            self._bar = self._make(total=total or None, desc=phase, unit_scale=True, leave=False)
        if total and self._bar.total != total:
            self._bar.total = total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


@contextlib.contextmanager
def watched(progress: Watcher | bool | None) -> Iterator[tuple[Any, dict[str, BaseException]]]:
    """A callback for the library, which an exception of the caller's, and Ctrl-C, end.

    `progress`: a function of phase, done and total; True for tqdm's bar; None for nothing.
    """
    watcher: Any = _Bar() if progress is True else progress or None
    failed: dict[str, BaseException] = {}

    def told(_context: Any, phase: bytes, done: int, total: int) -> int:
        try:
            if watcher is not None and watcher(phase.decode(), done, total) is False:
                return 1
            return 0
        except BaseException as error:
            failed["error"] = error
            return 1

    try:
        yield Progress(told), failed
    except Cancelled:
        if "error" in failed:
            raise failed["error"] from None
        raise
    finally:
        if isinstance(watcher, _Bar):
            watcher.close()
