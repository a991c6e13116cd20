"""What turns one commit's weights into another's, element by element."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import dtypes
from ._library import OVERWRITE, ChangeReceiver, encoded, json_of, lib
from ._processes import Handle
from .errors import BadInput, NotFound
from .given import Structures
from .progress import interruptible, watched

if TYPE_CHECKING:
    from .store import Store

_KINDS = ("elements", "whole", "removed")


class Change(NamedTuple):
    """What changes of one tensor, or of a run of it."""

    name: str
    kind: str
    """"elements", "whole" (new, or of another shape) or "removed"."""
    dtype: str
    shape: tuple[int, ...]
    indices: np.ndarray
    """Of elements: int64, counted row-major, ascending."""
    values: np.ndarray
    """Their new values [k]; of a whole tensor all of them [shape]."""


class Changes:
    """What differs between two commits' weights; nothing is read before it is asked for."""

    def __init__(self, store: Store, old: str, new: str) -> None:
        number = ctypes.c_void_p()
        lib.changes_open(
            store._number, encoded(old, "the revision"), encoded(new, "the revision"),
            ctypes.byref(number),
        )
        self._handle = Handle(number.value or 0)
        self.summary: dict[str, Any] = json_of(lib.changes_summary, number)
        """"from", "to", "added", "removed", "reshaped", "addedExperts", "removedExperts",
        "besides"."""

    def each(self, receiver: Callable[[Change], Any], names: Iterable[str] = ()) -> None:
        """Tells every change, tensor by tensor; a long one comes in runs. Arrays are copies.

        With names, those of these tensors alone. What the receiver raises ends it.
        """
        kept = Structures()
        wanted = kept.texts(names, "a tensor's name")
        with interruptible() as state:
            def told(_context: Any, pointer: Any) -> int:
                return state.ends(lambda: receiver(_copied(pointer[0])))

            lib.changes_each(
                self._handle.number, wanted, len(wanted), ChangeReceiver(told), None
            )

    def apply(self, arrays: dict[str, np.ndarray]) -> None:
        """Turns arrays with the older commit's weights into the newer one's, in place.

        Raises NotFound or BadInput for an array that is missing or of another size; then some may
        be changed already.
        """

        def apply(change: Change) -> None:
            if change.kind == "removed":
                arrays.pop(change.name, None)
                return
            if change.kind == "whole":
                arrays[change.name] = change.values
                return
            array = arrays.get(change.name)
            if array is None:
                raise NotFound(f"there is no array '{change.name}'")
            if array.shape != change.shape or array.itemsize != change.values.itemsize:
                raise BadInput(f"'{change.name}' is {list(change.shape)} {change.dtype}, the array "
                               f"{list(array.shape)} {array.dtype}", "bad-shape")
            if not array.flags.writeable:
                raise BadInput(f"the array '{change.name}' is read-only", "bad-input")
            # Where an array is not contiguous, .flat still counts row-major.
            array.flat[change.indices] = change.values.view(array.dtype)

        self.each(apply)

    def write(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, progress: Any = None
    ) -> dict[str, Any]:
        """Writes a patch file, which `Store.commit_patch` commits on the older commit.

        Raises Exists.
        """
        with watched(progress) as callback:
            return json_of(
                lib.changes_write, self._handle.number, encoded(path, "the path"),
                OVERWRITE if overwrite else 0, callback, None,
            )

    def __repr__(self) -> str:
        return f"<Changes {self.summary['from'][:12]}..{self.summary['to'][:12]}>"


def _copied(change: Any) -> Change:
    dtype = change.dtype.decode()
    shape = tuple(change.shape[: change.rank]) if change.rank else ()
    raw, seen = dtypes.numpy_types(dtype)
    indices = np.frombuffer(
        ctypes.string_at(change.indices, 8 * change.index_count), np.int64
    ).copy() if change.index_count else np.empty(0, np.int64)
    data = ctypes.string_at(change.values, change.value_bytes) if change.value_bytes else b""
    values = np.frombuffer(data, raw).copy().view(seen)
    if change.kind == 1:
        values = values.reshape(dtypes.array_shape(dtype, shape))
    return Change(change.name.decode(), _KINDS[change.kind], dtype, shape, indices, values)
