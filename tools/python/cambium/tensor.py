"""Lazy tensors of a snapshot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import dtypes

if TYPE_CHECKING:
    from .snapshot import Snapshot


class TensorInfo(NamedTuple):
    """What a tensor is, without its data."""

    dtype: str
    """As safetensors spells it: "BF16", "F8_E4M3", …"""
    shape: tuple[int, ...]
    """Outermost dimension first."""

    @property
    def nbytes(self) -> int:
        """Its bytes."""
        return dtypes.nbytes(self.dtype, self.shape)


class Tensor:
    """One tensor of a snapshot; nothing of its data is read before it is asked for.

    `t[3]`, `t[:8, ::2]`, `t[...]` give arrays (or torch tensors, of a snapshot with
    `framework="pt"`), read-only, and views of the store's map where it is stored as it is.
    `numpy.asarray(t)` does. Pickles as path, commit and name.
    """

    __slots__ = ("snapshot", "name", "info", "framework")

    def __init__(self, snapshot: Snapshot, name: str, info: TensorInfo, framework: str) -> None:
        self.snapshot = snapshot
        self.name = name
        self.info = info
        self.framework = framework

    @property
    def dtype(self) -> str:
        """As safetensors spells it: "BF16", "F8_E4M3", …"""
        return self.info.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Outermost dimension first."""
        return self.info.shape

    @property
    def ndim(self) -> int:
        """Its number of dimensions."""
        return len(self.info.shape)

    @property
    def size(self) -> int:
        """Its elements."""
        return math.prod(self.info.shape)

    @property
    def nbytes(self) -> int:
        """Its bytes."""
        return self.info.nbytes

    def get_shape(self) -> list[int]:
        """The shape, as slices of safetensors tell it."""
        return list(self.info.shape)

    def get_dtype(self) -> str:
        """The dtype, as slices of safetensors tell it."""
        return self.info.dtype

    def __len__(self) -> int:
        if not self.info.shape:
            raise TypeError(f"'{self.name}' has no dimensions")
        return self.info.shape[0]

    def __getitem__(self, index: Any) -> Any:
        return self.snapshot._indexed(self.name, index, self.framework)

    def numpy(self) -> np.ndarray:
        """All of it as a read-only array; see `Snapshot.get_tensor`."""
        return self.snapshot.get_tensor(self.name, framework="np")

    def torch(self, device: Any = None) -> Any:
        """All of it as a torch tensor; see `Snapshot.get_tensor`."""
        return self.snapshot.get_tensor(self.name, framework="pt", device=device)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"'{self.name}' is {array.dtype}; another dtype takes a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __reduce__(self):
        return _tensor, (self.snapshot, self.name, self.framework)

    def __repr__(self) -> str:
        shape = ", ".join(map(str, self.info.shape))
        return f"<Tensor {self.name} {self.info.dtype} [{shape}]>"


def _tensor(snapshot: Snapshot, name: str, framework: str) -> Tensor:
    return Tensor(snapshot, name, snapshot.info(name), framework)
