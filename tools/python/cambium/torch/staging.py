"""What a rank writes before anything is committed: files in the store's folder `staging`.

Each file is locked (`flock`) by the process that wrote it while it may be needed; one that nobody
locks was left by a crash, and the next save removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import weakref
from collections.abc import Iterable
from typing import NamedTuple

import torch

from .. import dtypes
from ..errors import BadInput

FOLDER = "staging"


class Piece(NamedTuple):
    """Where a chunk of a tensor was put: a file of `staging`, and its name there."""

    file: str
    name: str


def encoded_bytes(tensor: torch.Tensor) -> memoryview:
    """A tensor's bytes, row-major; copied only when it lies on a device or is not contiguous."""
    flat = tensor.detach().to("cpu").contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy() if flat.numel() else b"")


def write_safetensors(file: int, tensors: list[tuple[str, torch.Tensor]]) -> None:
    """Writes tensors to a descriptor as safetensors does, one at a time."""
    header, offset = {}, 0
    for name, tensor in tensors:
        end = offset + tensor.nbytes
        header[name] = {"dtype": dtypes.name_of_torch(tensor.dtype), "shape": list(tensor.shape),
                        "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    _write_all(file, memoryview(len(text).to_bytes(8, "little") + text))
    for _, tensor in tensors:
        _write_all(file, encoded_bytes(tensor))


def _write_all(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data[: 1 << 30]) :]


class Staging:
    """The files of one rank's save, locked until `end` or the end of this object or process."""

    def __init__(self, store: str) -> None:
        self.folder = os.path.join(store, FOLDER)
        self._files: list[tuple[str, int]] = []
        self._finalizer = weakref.finalize(self, _close, self._files, os.getpid())

    def write(self, tensors: list[tuple[str, torch.Tensor]]) -> str:
        """Writes a file and returns its name; nothing is left when it fails."""
        os.makedirs(self.folder, exist_ok=True)
        while True:
            name = f"{secrets.token_hex(8)}.safetensors"
            path = os.path.join(self.folder, name)
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
            fcntl.flock(file, fcntl.LOCK_EX)
            # Another save may have taken it for a left one before it was locked.
            if os.fstat(file).st_nlink:
                break
            os.close(file)
        try:
            write_safetensors(file, tensors)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.close(file)
            raise
        self._files.append((path, file))
        return name

    def path(self, name: str) -> str:
        """Where a file of any rank is."""
        if os.path.basename(name) != name or not name.endswith(".safetensors"):
            raise BadInput(f"{name!r} is no file of a save", "usage")
        return os.path.join(self.folder, name)

    def end(self) -> None:
        """Removes this rank's files, where they still are."""
        _close(self._files, os.getpid())


def _close(files: list[tuple[str, int]], process: int) -> None:
    while files:
        path, file = files.pop()
        # A forked child that ends leaves its parent's files.
        if os.getpid() == process:
            with contextlib.suppress(OSError):
                os.unlink(path)
        with contextlib.suppress(OSError):
            os.close(file)


def clear(store: str) -> list[str]:
    """Removes the files that crashed saves left, and returns their names."""
    folder, removed = os.path.join(store, FOLDER), []
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            if entry.name.endswith(".safetensors") and _is_left(entry.path):
                removed.append(entry.name)
    return removed


def _is_left(path: str) -> bool:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
        return True
    except OSError:
        return False
    finally:
        os.close(file)


def assemble(
    shape: torch.Size, dtype: torch.dtype, chunks: Iterable[tuple[torch.Size, torch.Tensor]]
) -> torch.Tensor:
    """A tensor of chunks at their offsets: the chunk itself where it is all, else a copy."""
    chunks = list(chunks)
    if len(chunks) == 1 and chunks[0][1].shape == shape:
        return chunks[0][1]
    whole = torch.empty(shape, dtype=dtype)
    for offsets, chunk in chunks:
        box = tuple(slice(at, at + size) for at, size in zip(offsets, chunk.shape))
        whole[box].copy_(chunk)
    return whole
