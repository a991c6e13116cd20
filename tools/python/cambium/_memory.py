"""Arrays over memory that the library owns: nothing is copied, and an array keeps its memory."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from . import dtypes
from ._library import VIEW_MAPPED, View
from ._processes import Handle
from .errors import BadInput

_FRAMEWORKS = {"np": "np", "numpy": "np", "pt": "pt", "torch": "pt", "pytorch": "pt"}


def framework_of(name: str) -> str:
    """"np" or "pt".

    Raises BadInput for another word.
    """
    found = _FRAMEWORKS.get(name)
    if found is None:
        raise BadInput(f"there is no framework {name!r}; give 'np' or 'pt'", "usage")
    return found


class _Bytes:
    """What numpy asks for memory, and what it keeps as the array's base."""

    __slots__ = ("__array_interface__", "owner")

    def __init__(
        self, address: int, shape: tuple[int, ...], kind: str, owner: Any, readonly: bool
    ) -> None:
        self.__array_interface__ = {
            "data": (address, readonly), "typestr": kind, "shape": shape, "version": 3,
        }
        self.owner = owner


class Memory(NamedTuple):
    """Bytes of one tensor, and what keeps them."""

    address: int
    nbytes: int
    owner: Handle
    mapped: bool
    dtype: str
    shape: tuple[int, ...]

    @staticmethod
    def of(view: View, snapshot: Handle) -> Memory:
        """What the library gave: mapped memory stays with the snapshot, other with its buffer."""
        mapped = bool(view.flags & VIEW_MAPPED)
        return Memory(
            view.data or 0, view.count, snapshot if mapped else Handle(view.owner), mapped,
            view.dtype.decode(), tuple(view.shape[: view.rank]),
        )

    def part(self, offset: int, count: int, dtype: str, shape: tuple[int, ...]) -> Memory:
        """A run of it."""
        return Memory(self.address + offset, count, self.owner, self.mapped, dtype, shape)

    def array(self) -> np.ndarray:
        """A read-only array over it."""
        raw, seen = dtypes.numpy_types(self.dtype)
        shape = dtypes.array_shape(self.dtype, self.shape)
        if not self.nbytes:
            array = np.empty(shape, seen)
            array.flags.writeable = False
            return array
        array = np.asarray(_Bytes(self.address, shape, raw.str, self.owner, True))
        return array if seen is raw else array.view(seen)

    def tensor(self) -> Any:
        """A torch tensor over it; torch cannot forbid to write, which ends the process."""
        import torch

        shape = dtypes.array_shape(self.dtype, self.shape)
        kind = dtypes.torch_type(self.dtype)
        if not self.nbytes:
            return torch.empty(shape, dtype=kind)
        # An array that may be written is taken without a warning.
        array = np.asarray(_Bytes(self.address, (self.nbytes,), "|u1", self.owner, False))
        return torch.from_numpy(array).view(kind).reshape(shape)

    def as_framework(self, framework: str) -> Any:
        """An array or a torch tensor over it."""
        return self.tensor() if framework == "pt" else self.array()


def empty(dtype: str, shape: tuple[int, ...], framework: str) -> tuple[Any, int, int]:
    """An array or tensor of its own memory, the address of its data, and its bytes."""
    shape = dtypes.array_shape(dtype, shape)
    if framework == "pt":
        import torch

        tensor = torch.empty(shape, dtype=dtypes.torch_type(dtype))
        return tensor, tensor.data_ptr(), tensor.nbytes
    array = np.empty(shape, dtypes.numpy_types(dtype)[1])
    return array, array.ctypes.data, array.nbytes


def first_rows(index: Any, shape: tuple[int, ...]) -> tuple[int, int, tuple[Any, ...]] | None:
    """The rows that an index needs: the first, their number, and the index among them.

    None where it may need all of them, or is none that is taken apart here.
    """
    entries = index if isinstance(index, tuple) else (index,)
    if not entries or not shape or math.prod(shape) == 0:
        return None
    first, rest = entries[0], entries[1:]
    if isinstance(first, (bool, np.bool_)):
        return None
    if isinstance(first, (int, np.integer)):
        position = int(first) + shape[0] if first < 0 else int(first)
        if not 0 <= position < shape[0]:
            raise IndexError(f"row {int(first)} of {shape[0]}")
        return position, 1, (0, *rest)
    if isinstance(first, slice):
        numbers = range(*first.indices(shape[0]))
        if not numbers or len(numbers) == shape[0]:
            return None
        low, high = min(numbers[0], numbers[-1]), max(numbers[0], numbers[-1])
        start = numbers[0] - low
        stop: int | None = start + numbers.step * len(numbers)
        if numbers.step < 0 and stop is not None and stop < 0:
            stop = None
        return low, high - low + 1, (slice(start, stop, numbers.step), *rest)
    return None
