"""Reading ahead: a store's map is read page by page as it is touched, unless one says what comes."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

_WILL_NEED = 3
_LEAST = 1 << 16
_PAGE = mmap.PAGESIZE
_PROBED = 32

_libc = ctypes.CDLL(None)
_madvise, _mincore = _libc.madvise, _libc.mincore
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)


def will_need(tensor: Any) -> None:
    """Has the kernel begin to read a torch tensor of the map, all of which is about to be used.

    Only advice: nothing is waited for, and of what is in memory nothing happens. Worth a call where
    the tensor is used whole; it costs microseconds and saves a disk's latency for each page.
    """
    read_ahead(tensor.data_ptr(), tensor.nbytes)


def read_ahead(address: int, count: int) -> None:
    """The same of bytes at an address.

    The kernel is asked only where some pages at the beginning, in the middle or at the end are not
    in memory: asking about each page takes longer than a look at some.
    """
    if count < _LEAST:
        return
    first, end = address // _PAGE * _PAGE, address + count
    pages = -(-(end - first) // _PAGE)
    probed = min(_PROBED, pages)
    seen = ctypes.create_string_buffer(probed)
    for start in {0, (pages - probed) // 2, pages - probed}:
        failed = _mincore(first + start * _PAGE, probed * _PAGE, seen)
        if failed or not all(byte & 1 for byte in seen.raw):
            _madvise(first, end - first, _WILL_NEED)
            return
