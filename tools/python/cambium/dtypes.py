"""Element types: as safetensors spells them, as numpy and as torch have them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .errors import BadInput

_NUMPY = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32",
    "I32": "int32", "U64": "uint64", "I64": "int64", "F16": "float16", "F32": "float32",
    "F64": "float64", "C64": "complex64",
}
# Types that numpy has by ml_dtypes only, and the unsigned ones of their size.
_EXTENDED = {
    "BF16": ("bfloat16", "uint16"), "F8_E4M3": ("float8_e4m3fn", "uint8"),
    "F8_E5M2": ("float8_e5m2", "uint8"), "F8_E8M0": ("float8_e8m0fnu", "uint8"),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", "uint8"), "F8_E5M2FNUZ": ("float8_e5m2fnuz", "uint8"),
}
# Types narrower than a byte, which arrays have as packed bytes.
_PACKED = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
_TORCH = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32",
    "I32": "int32", "U64": "uint64", "I64": "int64", "F16": "float16", "F32": "float32",
    "F64": "float64", "C64": "complex64", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "F4": "float4_e2m1fn_x2",
}
NAMES = (*_NUMPY, *_EXTENDED, *_PACKED)
"""All names, as safetensors spells them."""
_BITS = {
    **{name: 8 * np.dtype(known).itemsize for name, known in _NUMPY.items()},
    **{name: 8 * np.dtype(raw).itemsize for name, (_, raw) in _EXTENDED.items()},
    **_PACKED,
}


def nbytes(dtype: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor."""
    count = 1
    for dimension in shape:
        count *= dimension
    return count * _BITS[dtype] // 8


def is_packed(dtype: str) -> bool:
    """Whether an element is narrower than a byte."""
    return dtype in _PACKED


@functools.cache
def numpy_types(dtype: str) -> tuple[np.dtype, np.dtype]:
    """The type to read memory as, and the type to see it as: of BF16 and FP8 that of ml_dtypes
    where that is installed, else an unsigned one of the same size."""
    if dtype in _NUMPY:
        known = np.dtype(_NUMPY[dtype]).newbyteorder("<")
        return known, known
    if dtype in _PACKED:
        return np.dtype("uint8"), np.dtype("uint8")
    if dtype not in _EXTENDED:
        raise BadInput(f"there is no dtype '{dtype}'; there are {', '.join(NAMES)}", "unknown-type")
    name, raw = _EXTENDED[dtype]
    try:
        import ml_dtypes
    except ImportError:
        return np.dtype(raw), np.dtype(raw)
    return np.dtype(raw), np.dtype(getattr(ml_dtypes, name))


def array_shape(dtype: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the array: of packed types its last dimension counts bytes."""
    if dtype not in _PACKED:
        return shape
    bits = (shape[-1] if shape else 1) * _PACKED[dtype]
    if bits % 8:
        return (nbytes(dtype, shape),)
    return (*shape[:-1], bits // 8) if shape else (bits // 8,)


@functools.cache
def torch_type(dtype: str) -> Any:
    """torch's type.

    Raises BadInput where this torch has none.
    """
    import torch

    found = getattr(torch, _TORCH.get(dtype, ""), None)
    if found is None and dtype in _PACKED:
        return torch.uint8
    if found is None:
        raise BadInput(f"torch {torch.__version__} has no type for {dtype}", "unknown-type")
    return found


@functools.cache
def _names_of_numpy() -> dict[str, str]:
    names = {known: name for name, known in _NUMPY.items()}
    names.update({extended: name for name, (extended, _) in _EXTENDED.items()})
    return names


def name_of_numpy(dtype: np.dtype) -> str:
    """The name of a numpy type.

    Raises BadInput for one that safetensors does not have.
    """
    name = _names_of_numpy().get(dtype.name)
    if name is None:
        raise BadInput(
            f"arrays of dtype {dtype} cannot be stored; there are {', '.join(NAMES)}",
            "unknown-type",
        )
    return name


@functools.cache
def name_of_torch(dtype: Any) -> str:
    """The name of a torch type."""
    word = str(dtype).removeprefix("torch.")
    for name, known in _TORCH.items():
        if known == word:
            return name
    raise BadInput(f"tensors of {dtype} cannot be stored", "unknown-type")


def bits(dtype: str) -> int:
    """Bits of an element."""
    return _BITS[dtype]
