"""How far long work has come, and what ends it."""

from __future__ import annotations

import contextlib
import signal
import threading
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


class Interruption:
    """What came while the library worked: Ctrl-C, or an exception of a callback."""

    def __init__(self) -> None:
        self.pressed = False
        self.error: BaseException | None = None

    def ends(self, callback: Callable[..., Any], *arguments: Any) -> int:
        """Calls a callback of the user's: 1, for the library to end, where it returns False or
        raises, or Ctrl-C was pressed."""
        if self.pressed:
            return 1
        try:
            return 1 if callback(*arguments) is False or self.pressed else 0
        except BaseException as error:
            self.error = error
            return 1


@contextlib.contextmanager
def interruptible() -> Iterator[Interruption]:
    """Makes Ctrl-C end the work where the library next calls back, and raises it, or what a
    callback raised, when the library has returned.

    An exception of a signal would be lost in the middle of a callback, so that it waits until then.
    """
    state = Interruption()
    before: Any = None
    if threading.current_thread() is threading.main_thread():
        before = signal.getsignal(signal.SIGINT)
        if callable(before):
            def press(_number: int, _frame: Any) -> None:
                state.pressed = True

            signal.signal(signal.SIGINT, press)
    cancelled: Cancelled | None = None
    try:
        yield state
    except Cancelled as error:
        cancelled = error
    finally:
        if callable(before):
            signal.signal(signal.SIGINT, before)
            if state.pressed:
                before(signal.SIGINT, None)
    if state.error is not None:
        raise state.error
    if cancelled is not None:
        raise cancelled


@contextlib.contextmanager
def watched(progress: Watcher | bool | None) -> Iterator[Any]:
    """A callback for the library, which an exception of the caller's, and Ctrl-C, end.

    `progress`: a function of phase, done and total; True for tqdm's bar; None for nothing.
    """
    watcher: Any = _Bar() if progress is True else progress or (lambda *_: None)
    try:
        with interruptible() as state:
            def told(_context: Any, phase: bytes, done: int, total: int) -> int:
                return state.ends(watcher, phase.decode(), done, total)

            yield Progress(told)
    finally:
        if isinstance(watcher, _Bar):
            watcher.close()
