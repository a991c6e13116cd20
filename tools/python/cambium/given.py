"""What users commit: arrays and tensors in memory, as the library takes them."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from . import dtypes
from ._library import File, Metric, Pair, TensorStruct, encoded
from .errors import BadInput
from .tensor import Tensor


class TypedArray(NamedTuple):
    """An array of raw numbers with the dtype that they stand for, where numpy has none:
    `TypedArray("BF16", numbers.view(np.uint16))`."""

    dtype: str
    array: np.ndarray


class Given(NamedTuple):
    """A tensor in memory: contiguous, row-major, little-endian."""

    dtype: str
    shape: tuple[int, ...]
    address: int
    nbytes: int
    owner: Any
    """Has the memory."""

    def part(self, offset: int, shape: tuple[int, ...]) -> Given:
        """A run of it."""
        count = dtypes.nbytes(self.dtype, shape)
        return Given(self.dtype, shape, self.address + offset, count, self.owner)

    def array(self) -> np.ndarray:
        """Its bytes."""
        if not self.nbytes:
            return np.empty(0, np.uint8)
        buffer = (ctypes.c_uint8 * self.nbytes).from_address(self.address)
        return np.ctypeslib.as_array(buffer)


def given(name: str, value: Any) -> Given:
    """A value as the library takes it: in place where it is contiguous in memory, else copied.

    Takes arrays of numpy and what has `__array__`, torch tensors of any device, lazy tensors of a
    snapshot, and TypedArray. Raises BadInput for what is none, or of a dtype that cannot be stored.
    """
    if isinstance(value, Tensor):
        info = value.info
        array = value.numpy()
        return Given(info.dtype, info.shape, array.ctypes.data, array.nbytes, array)
    if isinstance(value, TypedArray):
        return _typed(name, value)
    if type(value).__module__.split(".")[0] == "torch" or hasattr(value, "data_ptr"):
        return _of_torch(name, value)
    if not isinstance(value, np.ndarray):
        if not hasattr(value, "__array__") and not hasattr(value, "__array_interface__"):
            raise BadInput(f"'{name}' is a {type(value).__name__}, not an array", "bad-input")
        value = np.asarray(value)
    dtype = _named(name, value.dtype)
    array = _laid_out(value)
    return Given(dtype, value.shape, array.ctypes.data, array.nbytes, array)


def _named(name: str, dtype: np.dtype) -> str:
    try:
        return dtypes.name_of_numpy(dtype)
    except BadInput as error:
        raise BadInput(f"'{name}': {error}", error.code) from None


def _laid_out(array: np.ndarray) -> np.ndarray:
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and _is_big_endian):
        array = array.astype(array.dtype.newbyteorder("<"))
    return array if array.flags.c_contiguous else np.ascontiguousarray(array).reshape(array.shape)


_is_big_endian = np.dtype("<u2") != np.dtype("u2")


def _typed(name: str, value: TypedArray) -> Given:
    array = _laid_out(np.asarray(value.array))
    raw, _ = dtypes.numpy_types(value.dtype)
    shape = array.shape
    if array.dtype.itemsize != raw.itemsize:
        raise BadInput(
            f"'{name}': {array.dtype} has not the size of {value.dtype}; give {raw}", "bad-input"
        )
    if dtypes.is_packed(value.dtype):
        bits = dtypes.bits(value.dtype)
        if not shape or shape[-1] * 8 % bits:
            raise BadInput(f"'{name}': {shape} bytes are no {value.dtype}", "bad-shape")
        shape = (*shape[:-1], shape[-1] * 8 // bits)
    return Given(value.dtype, shape, array.ctypes.data, array.nbytes, array)


def _of_torch(name: str, value: Any) -> Given:
    import torch

    if not isinstance(value, torch.Tensor):
        raise BadInput(f"'{name}' is a {type(value).__name__}, not a tensor", "bad-input")
    if value.device.type == "meta":
        raise BadInput(f"'{name}' is on the device meta, and has no data", "bad-input")
    if value.layout is not torch.strided or value.is_quantized:
        raise BadInput(f"'{name}' is {value.layout}, not dense", "bad-input")
    tensor = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
    try:
        dtype = dtypes.name_of_torch(tensor.dtype)
    except BadInput as error:
        raise BadInput(f"'{name}': {error}", error.code) from None
    shape = tuple(tensor.shape)
    if dtype == "F4":
        shape = (*shape[:-1], 2 * shape[-1])
    return Given(dtype, shape, tensor.data_ptr(), tensor.nbytes, tensor)


_TENSOR = np.dtype([(field[0], np.uint64) for field in TensorStruct._fields_])


def _joined(texts: list[bytes]) -> tuple[Any, np.ndarray]:
    """Texts one after the other, each with its 0 byte, and the address of each: uint64 [n]."""
    buffer = ctypes.create_string_buffer(b"\0".join(texts))
    lengths = np.array([len(text) + 1 for text in texts], np.uint64)
    return buffer, np.uint64(ctypes.addressof(buffer)) + np.cumsum(lengths) - lengths


class Structures:
    """Structures for one call, and all that they point to."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def text(self, text: Any, name: str) -> bytes | None:
        """A text; None for none."""
        data = encoded(text, name)
        self.kept.append(data)
        return data

    def tensors(self, tensors: Mapping[str, Given]) -> Any:
        """`cambium_tensor`s."""
        # Filled by columns: of a model of many experts there are tens of thousands.
        names = [encoded(name, "a tensor's name") or b"" for name in tensors]
        text, starts = _joined(names)
        dtype_at = {one: number for number, one in enumerate(dtypes.NAMES)}
        dtype_text, dtype_starts = _joined([one.encode() for one in dtypes.NAMES])
        values = list(tensors.values())
        ranks = np.array([len(one.shape) for one in values], np.uint64)
        shapes = np.array([size for one in values for size in one.shape] or [0], np.int64)
        table = np.zeros(len(values), _TENSOR)
        table["name"] = starts
        table["dtype"] = dtype_starts[[dtype_at[one.dtype] for one in values]] if values else 0
        table["shape"] = shapes.ctypes.data + 8 * (np.cumsum(ranks) - ranks)
        table["rank"] = ranks
        table["data"] = [one.address for one in values]
        table["count"] = [one.nbytes for one in values]
        self.kept.append((table, shapes, text, dtype_text, tensors))
        array = TensorStruct * len(values)
        return array.from_buffer(table.data) if values else array()

    def files(self, files: Mapping[str, bytes]) -> Any:
        """`cambium_file`s."""
        array = (File * len(files))()
        for place, (name, content) in zip(array, files.items()):
            buffer = ctypes.create_string_buffer(content, len(content)) if content else None
            self.kept.append(buffer)
            place.name = encoded(name, "a file's name")
            place.data = ctypes.cast(buffer, ctypes.c_void_p) if buffer else None
            place.count = len(content)
        self.kept.append(array)
        return array

    def pairs(self, texts: Mapping[str, Any] | None, name: str) -> Any:
        """`cambium_pair`s; numbers and truth values are spelled as JSON."""
        items = _items(texts, name)
        array = (Pair * len(items))()
        for place, (key, value) in zip(array, items):
            place.key = encoded(key, f"a key of the {name}")
            if isinstance(value, (bool, int, float)) or value is None:
                value = json.dumps(value)
            place.value = encoded(value, f"the {name}: '{key}'")
        self.kept.append(array)
        return array

    def numbers(self, numbers: Mapping[str, float] | None, name: str) -> Any:
        """`cambium_metric`s."""
        items = _items(numbers, name)
        array = (Metric * len(items))()
        for place, (key, value) in zip(array, items):
            place.name = encoded(key, f"a key of the {name}")
            try:
                place.value = float(value)
            except (TypeError, ValueError):
                raise BadInput(f"the {name}: '{key}' is {value!r}, no number", "usage") from None
        self.kept.append(array)
        return array

    def texts(self, texts: Iterable[str], name: str) -> Any:
        """Texts one after the other."""
        data = [encoded(text, name) for text in texts]
        array = (ctypes.c_char_p * len(data))(*data)
        self.kept.append((array, data))
        return array


def _items(mapping: Mapping[str, Any] | None, name: str) -> list[tuple[str, Any]]:
    if mapping is None:
        return []
    if not isinstance(mapping, Mapping):
        raise BadInput(f"the {name} are a {type(mapping).__name__}, not a mapping", "usage")
    return list(mapping.items())


def content_of(value: Any, name: str) -> bytes:
    """A small file's content: bytes, a text, a mapping as JSON, or a config of transformers."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, os.PathLike):
        with open(value, "rb") as file:
            return file.read()
    if hasattr(value, "to_json_string"):
        return value.to_json_string().encode()
    if isinstance(value, Mapping):
        return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
    raise BadInput(f"{name} is a {type(value).__name__}; give bytes, a text or a mapping", "usage")
