"""What is kept beside a commit and is no part of it: optimizer states, in the folder `companions`.

`companions/COMMIT/index.json` says what is there; safetensors files and files of trainers lie
beside it. Nothing here is unpickled. A save on a branch drops the companions of the branch's
earlier commits, and a collection those of all commits that no branch is at: they go first, the
models stay.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import os
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .errors import BadInput, Corrupt

FOLDER = "companions"
_INDEX = "index.json"
_COMMIT = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"(?!\.)[^/\0]{1,200}")


class Companion:
    """What is kept beside one commit."""

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self.folder = folder
        self.index = index

    @property
    def branch(self) -> str | None:
        """The branch that it was saved on."""
        return self.index.get("branch")

    @property
    def nbytes(self) -> int:
        """Bytes of its files."""
        return sum(entry.stat().st_size for entry in os.scandir(self.folder))

    def path(self, name: object) -> Path:
        """Where one of its files is.

        Raises Corrupt for a name that leads elsewhere or is not there.
        """
        path = self.folder / name if isinstance(name, str) and _FILE.fullmatch(name) else None
        if path is None or path.is_symlink() or not path.is_file():
            raise Corrupt(f"{self.folder} names the file {name!r}, which is not in it")
        return path


def find(store: str, commit: str) -> Companion | None:
    """What is kept beside a commit, or None.

    Raises Corrupt.
    """
    folder = Path(store, FOLDER, commit)
    try:
        index = json.loads((folder / _INDEX).read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"{folder / _INDEX} is no JSON: {error}") from None
    if not isinstance(index, dict):
        raise Corrupt(f"{folder / _INDEX} is no JSON object")
    return Companion(folder, index)


def keep(
    store: str, commit: str, branch: str | None, index: Mapping[str, Any],
    moved: Mapping[str, str | os.PathLike[str]], *, copy: bool = False,
) -> Companion:
    """Keeps files beside a commit, and drops what earlier commits of the branch have.

    `moved`: a file's name and where it is now, on the same disk; `copy` leaves it there. After a
    crash all of it is there or none: the index is written last.
    """
    folder = Path(store, FOLDER, commit)
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in moved.items():
        if not _FILE.fullmatch(name) or name == _INDEX:
            raise BadInput(f"{name!r} is no name for a companion's file", "bad-name")
        if copy:
            shutil.copyfile(source, folder / name)
        else:
            os.replace(source, folder / name)
        _sync(folder / name)
    record = {**index, "branch": branch}
    part = folder / f".{_INDEX}"
    with open(part, "w") as file:
        json.dump(record, file, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, folder / _INDEX)
    _sync(folder)
    for other in _commits(store):
        if other != commit:
            with contextlib.suppress(Corrupt):
                found = find(store, other)
                if found is not None and found.branch == branch:
                    shutil.rmtree(found.folder, ignore_errors=True)
    return Companion(folder, record)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def collect(store: str, kept: Collection[str], *, prune: bool = True) -> int:
    """Drops the companions of all commits but `kept` (ids), and returns their bytes.

    Without `prune` it only counts.
    """
    freed = 0
    for commit in _commits(store):
        folder = Path(store, FOLDER, commit)
        if commit in kept:
            continue
        with contextlib.suppress(FileNotFoundError):
            freed += sum(entry.stat().st_size for entry in os.scandir(folder))
        if prune:
            shutil.rmtree(folder, ignore_errors=True)
    return freed


def _commits(store: str) -> list[str]:
    try:
        names = os.listdir(os.path.join(store, FOLDER))
    except FileNotFoundError:
        return []
    return [name for name in names if _COMMIT.fullmatch(name)]


def encode(value: Any, name: str) -> Any:
    """Plain Python data as JSON that keeps tuples, bytes and what JSON has no numbers for.

    Raises BadInput for anything else, so that nothing has to be unpickled later.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if type(value) is list:
        return [encode(one, name) for one in value]
    if type(value) is tuple:
        return {"tuple": [encode(one, name) for one in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key, name), encode(one, name)] for key, one in value.items()]}
    raise BadInput(
        f"'{name}' is a {type(value).__name__}: beside a commit go tensors, numbers, texts, bytes, "
        "lists, tuples and dictionaries, since pickles are not read back"
    )


def decode(value: Any) -> Any:
    """What `encode` made of it.

    Raises Corrupt.
    """
    if isinstance(value, list):
        return [decode(one) for one in value]
    if not isinstance(value, dict):
        return value
    try:
        ((kind, content),) = value.items()
        if kind == "float":
            return float(content)
        if kind == "bytes":
            return base64.b64decode(content, validate=True)
        if kind == "tuple":
            return tuple(decode(one) for one in content)
        if kind == "dict":
            return {decode(key): decode(one) for key, one in content}
    except (TypeError, ValueError):
        pass
    raise Corrupt(f"no value is written as {str(value)[:80]}")
