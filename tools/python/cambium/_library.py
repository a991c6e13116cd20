"""The shared library: its functions with their types, as `cambium.h` declares them."""

from __future__ import annotations

import ctypes
import json
import os
from ctypes import POINTER, c_char, c_char_p, c_double, c_int, c_int32, c_int64, c_uint32
from ctypes import c_uint64, c_void_p
from pathlib import Path
from typing import Any

from . import errors

Progress = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_int64, c_int64)
TextReceiver = ctypes.CFUNCTYPE(c_int, c_void_p, c_uint64, c_void_p, c_uint64)
TokenReceiver = ctypes.CFUNCTYPE(c_int, c_void_p, c_int64)

MAX_RANK = 16
VIEW_MAPPED = 1
READ_CHECKED = 1
OPEN_READ_ONLY = 1
ALLOW_UNCHANGED, ALLOW_UNFIT, ALONE, DRY_RUN, OVERWRITE, PLAIN, BAKE = 1, 2, 4, 8, 16, 32, 64
VIRTUAL_HOST, ANONYMOUS, SINGLE_WRITER = 128, 256, 512
TAGS, FORCE, DELETE, LAZY = 1024, 2048, 4096, 8192
ENGINE_COLD = 1


class Pair(ctypes.Structure):
    _fields_ = [("key", c_char_p), ("value", c_char_p)]


class Metric(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_double)]


class File(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("data", c_void_p), ("count", c_uint64)]


class TensorStruct(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p), ("dtype", c_char_p), ("shape", POINTER(c_int64)), ("rank", c_uint64),
        ("data", c_void_p), ("count", c_uint64),
    ]


class ExpertEdit(ctypes.Structure):
    _fields_ = [
        ("layer", c_int64), ("pool", c_char_p), ("ordinal", c_int64), ("data", c_void_p),
        ("count", c_uint64),
    ]


class CommitOptions(ctypes.Structure):
    _fields_ = [
        ("message", c_char_p), ("branch", c_char_p), ("parent", c_char_p), ("author", c_char_p),
        ("time", c_int64), ("metadata", POINTER(Pair)), ("metadata_count", c_uint64),
        ("metrics", POINTER(Metric)), ("metric_count", c_uint64), ("flags", c_uint32),
    ]


class View(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p), ("count", c_uint64), ("flags", c_uint32), ("rank", c_uint32),
        ("shape", c_int64 * MAX_RANK), ("dtype", c_char * 16), ("owner", c_void_p),
    ]


class LogQuery(ctypes.Structure):
    _fields_ = [
        ("revisions", POINTER(c_char_p)), ("revision_count", c_uint64), ("all", c_int32),
        ("limit", c_int64), ("since", c_int64), ("until", c_int64), ("author", c_char_p),
        ("message", c_char_p), ("path", c_char_p), ("metric", c_char_p), ("descending", c_int32),
    ]


class MergeOptions(ctypes.Structure):
    _fields_ = [
        ("into", c_char_p), ("policy", c_char_p), ("takes", POINTER(c_char_p)),
        ("take_count", c_uint64), ("weights", POINTER(Metric)), ("weight_count", c_uint64),
        ("density", c_double), ("scale", c_double), ("message", c_char_p), ("author", c_char_p),
        ("time", c_int64), ("flags", c_uint32),
    ]


class QuantizeOptions(ctypes.Structure):
    _fields_ = [
        ("experts", c_char_p), ("dense", c_char_p), ("routers", c_char_p),
        ("embeddings", c_char_p), ("text", c_char_p), ("text_count", c_uint64),
        ("limit", c_uint64), ("threads", c_int32),
    ]


class Access(ctypes.Structure):
    _fields_ = [
        ("endpoint", c_char_p), ("region", c_char_p), ("profile", c_char_p), ("ca_file", c_char_p),
        ("flags", c_uint32),
    ]


class Transfer(ctypes.Structure):
    _fields_ = [
        ("branches", POINTER(c_char_p)), ("branch_count", c_uint64), ("depth", c_int64),
        ("jobs", c_uint32), ("flags", c_uint32), ("rate", c_uint64), ("policy", c_char_p),
    ]


class Change(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p), ("dtype", c_char_p), ("shape", POINTER(c_int64)), ("rank", c_uint64),
        ("kind", c_int32), ("indices", c_void_p), ("index_count", c_uint64), ("values", c_void_p),
        ("value_bytes", c_uint64),
    ]


ChangeReceiver = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(Change))


class Sampling(ctypes.Structure):
    _fields_ = [
        ("count", c_int64), ("temperature", c_double), ("top_p", c_double), ("seed", c_uint64),
        ("stops", POINTER(File)), ("stop_count", c_uint64), ("stop_tokens", c_void_p),
        ("stop_token_count", c_uint64), ("past_end", c_int32), ("threads", c_int32),
    ]


class Routes(ctypes.Structure):
    _fields_ = [
        ("tokens", c_uint64), ("layers", c_uint64), ("heads", c_uint64), ("picks", c_uint64),
        ("experts", c_void_p), ("weights", c_void_p), ("token_ids", c_void_p),
        ("layer_numbers", c_void_p), ("owner", c_void_p),
    ]


_HANDLE, _OUT, _TEXT = c_void_p, POINTER(c_void_p), c_char_p
_WORK = (Progress, c_void_p, _OUT)
_VIEW, _ID = POINTER(View), c_char_p

# Every function returns a code; what is listed are its parameters.
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "retain": (c_void_p,),
    "release": (c_void_p,),
    "close": (c_void_p,),
    "create": (_TEXT, _TEXT),
    "open": (_TEXT, c_uint32, _OUT),
    "migrate": (_TEXT, _OUT),
    "resolve": (_HANDLE, _TEXT, _ID),
    "snapshot_open": (_HANDLE, _TEXT, _OUT),
    "snapshot_id": (_HANDLE, _ID),
    "snapshot_tree": (_HANDLE, _ID),
    "snapshot_commit": (_HANDLE, _OUT),
    "snapshot_summary": (_HANDLE, _OUT),
    "snapshot_tensors": (_HANDLE, _OUT),
    "snapshot_files": (_HANDLE, _OUT),
    "snapshot_pools": (_HANDLE, _OUT),
    "snapshot_tensor": (_HANDLE, _TEXT, c_uint32, _VIEW),
    "snapshot_rows": (_HANDLE, _TEXT, c_int64, c_int64, c_uint32, _VIEW),
    "snapshot_read": (_HANDLE, _TEXT, c_int64, c_int64, c_void_p, c_uint64),
    "snapshot_file": (_HANDLE, _TEXT, _VIEW),
    "snapshot_expert_ids": (_HANDLE, c_int64, _TEXT, c_int64, c_int64, c_void_p),
    "snapshot_expert": (_HANDLE, c_int64, _TEXT, c_int64, c_uint32, _ID, _VIEW),
    "snapshot_shared_by": (_HANDLE, c_int64, _TEXT, c_int64, _OUT),
    "commit_folder": (_HANDLE, _TEXT, POINTER(CommitOptions), *_WORK),
    "commit_tensors": (
        _HANDLE, POINTER(TensorStruct), c_uint64, POINTER(File), c_uint64, POINTER(Pair), c_uint64,
        POINTER(CommitOptions), *_WORK,
    ),
    "patch_file": (_HANDLE, _TEXT, POINTER(CommitOptions), *_WORK),
    "patch_tensors": (
        _HANDLE, POINTER(TensorStruct), c_uint64, POINTER(ExpertEdit), c_uint64,
        POINTER(CommitOptions), *_WORK,
    ),
    "commit_adapter": (_HANDLE, _TEXT, _TEXT, c_uint32, POINTER(CommitOptions), *_WORK),
    "quantize_model": (
        _HANDLE, _TEXT, POINTER(QuantizeOptions), POINTER(CommitOptions), *_WORK,
    ),
    "branches": (_HANDLE, _OUT),
    "tags": (_HANDLE, _OUT),
    "current_branch": (_HANDLE, _OUT),
    "create_branch": (_HANDLE, _TEXT, _TEXT),
    "delete_branch": (_HANDLE, _TEXT),
    "rename_branch": (_HANDLE, _TEXT, _TEXT),
    "create_tag": (_HANDLE, _TEXT, _TEXT),
    "delete_tag": (_HANDLE, _TEXT),
    "switch": (_HANDLE, _TEXT),
    "reset": (_HANDLE, _TEXT, _TEXT, _OUT),
    "history": (_HANDLE, POINTER(LogQuery), _OUT),
    "show": (_HANDLE, _TEXT, _OUT),
    "reflog": (_HANDLE, _TEXT, _OUT),
    "diff": (_HANDLE, _TEXT, _TEXT, c_int32, _OUT),
    "report": (_HANDLE, POINTER(c_char_p), c_uint64, _TEXT, _OUT),
    "figure": (_HANDLE, _TEXT, POINTER(c_char_p), c_uint64, _TEXT, _OUT),
    "merge": (_HANDLE, POINTER(c_char_p), c_uint64, POINTER(MergeOptions), _OUT),
    "revert": (_HANDLE, _TEXT, POINTER(MergeOptions), _OUT),
    "remote_add": (_HANDLE, _TEXT, _TEXT, POINTER(Access), _OUT),
    "remote_remove": (_HANDLE, _TEXT),
    "remotes": (_HANDLE, _OUT),
    "clone": (_TEXT, _TEXT, POINTER(Access), POINTER(Transfer), *_WORK),
    "push": (_HANDLE, _TEXT, POINTER(Transfer), *_WORK),
    "fetch": (_HANDLE, _TEXT, POINTER(Transfer), *_WORK),
    "pull": (_HANDLE, _TEXT, POINTER(Transfer), *_WORK),
    "collect": (_HANDLE, c_int32, c_int64, _OUT),
    "verify": (_HANDLE, c_int32, *_WORK),
    "overview": (_HANDLE, _OUT),
    "statistics": (_HANDLE, _OUT),
    "repack": (_TEXT, c_int32, *_WORK),
    "export": (_HANDLE, _TEXT, _TEXT, c_uint32, *_WORK),
    "changes_open": (_HANDLE, _TEXT, _TEXT, _OUT),
    "changes_summary": (_HANDLE, _OUT),
    "changes_each": (_HANDLE, POINTER(c_char_p), c_uint64, ChangeReceiver, c_void_p),
    "changes_write": (_HANDLE, _TEXT, c_uint32, *_WORK),
    "engine_open": (_HANDLE, _TEXT, c_uint64, c_uint32, _OUT),
    "engine_summary": (_HANDLE, _OUT),
    "engine_statistics": (_HANDLE, _OUT),
    "generate": (
        _HANDLE, POINTER(File), c_uint64, POINTER(Sampling), TextReceiver, c_void_p, _OUT,
    ),
    "chat_prompt": (_HANDLE, _TEXT, _OUT),
    "chat": (_HANDLE, _TEXT, POINTER(Sampling), TextReceiver, c_void_p, _OUT),
    "generate_tokens": (
        _HANDLE, c_void_p, c_uint64, POINTER(Sampling), TokenReceiver, c_void_p, _OUT,
    ),
    "evaluate": (_HANDLE, c_void_p, c_uint64, c_uint64, c_int32, *_WORK),
    "route": (
        _HANDLE, c_void_p, c_uint64, c_void_p, c_uint64, Progress, c_void_p, POINTER(Routes),
    ),
    "tokenize": (_HANDLE, c_void_p, c_uint64, _VIEW),
    "detokenize": (_HANDLE, c_void_p, c_uint64, _OUT),
    "logits": (_HANDLE, c_void_p, c_uint64, c_int32, _VIEW),
}


def _path() -> str:
    """Where the library is: in the package, else where CAMBIUM_LIBRARY says."""
    inside = Path(__file__).parent / "libcambium.so"
    if inside.exists():
        return str(inside)
    if path := os.environ.get("CAMBIUM_LIBRARY"):
        return path
    raise ImportError(
        f"there is no {inside}, and CAMBIUM_LIBRARY names no other; install the wheel, or build "
        "the library: swift build --product CambiumC"
    )


_library = ctypes.CDLL(_path())
_code_name = _library.cambium_code_name
_code_name.restype, _code_name.argtypes = c_char_p, (c_int,)
_message = _library.cambium_message
_message.restype, _message.argtypes = c_char_p, ()
_version = _library.cambium_version
_version.restype, _version.argtypes = c_char_p, ()
_free = _library.cambium_free
_free.restype, _free.argtypes = None, (c_void_p,)


def _check(code: int, _function: Any, _arguments: Any) -> int:
    if code:
        raise errors.make(_code_name(code).decode(), _message().decode("utf-8", "replace"))
    return code


class Functions:
    """The library's functions without their prefix; each raises where it does not succeed."""

    def __init__(self) -> None:
        for name, parameters in _SIGNATURES.items():
            function = getattr(_library, "cambium_" + name)
            function.restype, function.argtypes, function.errcheck = c_int, parameters, _check
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the library has no function {name}")


lib = Functions()


def version() -> str:
    """The library's version."""
    return _version().decode()


def text_of(function: Any, *arguments: Any) -> str | None:
    """The text that a function gives through its last parameter."""
    result = c_void_p()
    function(*arguments, ctypes.byref(result))
    if not result.value:
        return None
    try:
        return ctypes.string_at(result.value).decode()
    finally:
        _free(result.value)


def json_of(function: Any, *arguments: Any) -> Any:
    """The record that a function gives as JSON."""
    text = text_of(function, *arguments)
    return None if text is None else json.loads(text)


def id_of(function: Any, *arguments: Any) -> str:
    """The id that a function gives."""
    buffer = ctypes.create_string_buffer(65)
    function(*arguments, buffer)
    return buffer.value.decode()


def encoded(text: str | os.PathLike[str] | None, name: str) -> bytes | None:
    """A text as the library takes it.

    Raises BadInput for what is no text, or has a 0 byte, at which C would end it.
    """
    if text is None:
        return None
    if isinstance(text, os.PathLike):
        text = os.fspath(text)
    if not isinstance(text, str):
        raise errors.BadInput(f"{name} is a {type(text).__name__}, not a text", "usage")
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise errors.BadInput(f"{name} is no text of Unicode: {error}", "bad-input") from None
    if b"\0" in data:
        raise errors.BadInput(f"{name} has a character 0", "bad-input")
    return data
