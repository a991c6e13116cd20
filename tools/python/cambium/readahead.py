"""Reading ahead: a store's map is read page by page as it is touched, unless one says what comes."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

_WILL_NEED = 3
_LEAST = 1 << 16

_madvise = ctypes.CDLL(None).madvise
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def will_need(tensor: Any) -> None:
    """Has the kernel begin to read a torch tensor of the map, all of which is about to be used.

    Only advice: nothing is waited for, and of what is in memory nothing happens. Worth a call where
    the tensor is used whole; it costs microseconds and saves a disk's latency for each page.
    """
    if tensor.nbytes < _LEAST:
        return
    first = tensor.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
    _madvise(first, tensor.data_ptr() + tensor.nbytes - first, _WILL_NEED)
