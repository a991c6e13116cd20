"""The exceptions: a small tree, each with the `code` that the command line's JSON has."""

from __future__ import annotations

from typing import Any


class CambiumError(Exception):
    """What all exceptions of this package are.

    `code` is one word of a closed list, such as "not-found"; `str(error)` says what happened, with
    the value, and what to do.
    """

    code = "internal"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return self.message

    def __reduce__(self):
        return type(self), (self.message, self.code)


class NotFound(CambiumError, KeyError, IndexError):
    """A revision, tensor, expert, file or branch that is not there; or a short id of two."""

    code = "not-found"


class NotAStore(CambiumError):
    """A folder that is no store, or one whose format this version does not read."""

    code = "not-a-store"


class Exists(CambiumError):
    """What was to be made is there already."""

    code = "exists"


class BadInput(CambiumError, ValueError):
    """An argument that cannot be: a name, a shape, a dtype, a revision, an option."""

    code = "bad-input"


class BranchMoved(CambiumError):
    """Another writer was faster, or `parent` is not the branch's head: look, and commit again."""

    code = "branch-moved"


class Conflict(CambiumError):
    """Sides that both changed the same thing; `result` is what the merge told, where one did."""

    code = "conflict"
    result: Any = None


class Incompatible(CambiumError):
    """Histories or models that do not go together."""

    code = "incompatible"


class Corrupt(CambiumError):
    """Stored bytes are not what their name says."""

    code = "corrupt"


class StorageFailure(CambiumError, OSError):
    """The disk or the system refused: full, read-only, busy, a limit."""

    code = "io"

    # OSError would take two arguments for a number and its text.
    def __new__(cls, message: str, code: str | None = None):
        return super().__new__(cls, message)


class BadCheckpoint(CambiumError, ValueError):
    """Files of a checkpoint that cannot be: truncated, overlapping, without a shard."""

    code = "not-a-checkpoint"


class ModelFailure(CambiumError):
    """A model that does not run, or does not fit its branch."""

    code = "unsupported"


class RemoteFailure(CambiumError, OSError):
    """A remote that cannot be reached, refuses, or does not do what is needed."""

    code = "network"

    # As of StorageFailure.
    def __new__(cls, message: str, code: str | None = None):
        return super().__new__(cls, message)


class Cancelled(CambiumError):
    """A callback asked to end; nothing was committed."""

    code = "cancelled"


class Closed(CambiumError, ValueError):
    """A store, snapshot or engine that was closed."""

    code = "closed"


class Forked(CambiumError):
    """A handle of the process that this one was forked from."""

    code = "forked"


FAMILIES: dict[type[CambiumError], tuple[str, ...]] = {
    NotFound: ("not-found", "ambiguous"),
    NotAStore: ("not-a-store", "format-too-old", "format-too-new"),
    Exists: ("exists",),
    BadInput: (
        "usage", "bad-name", "bad-revision", "bad-input", "bad-shape", "too-large",
        "unknown-type", "duplicate-name", "overflow",
    ),
    BranchMoved: ("branch-moved",),
    Conflict: ("conflict",),
    Incompatible: ("unrelated", "incompatible", "depended-on"),
    Corrupt: ("corrupt",),
    StorageFailure: (
        "disk-full", "read-only", "busy", "hard-linked", "limit", "io", "changed",
    ),
    BadCheckpoint: (
        "not-a-checkpoint", "truncated", "bad-header", "overlap", "hole", "bad-index",
        "missing-shard", "unlisted-tensor", "bad-config", "bad-tokenizer",
    ),
    ModelFailure: (
        "unsupported", "unfit", "missing-tensor", "bad-tensor", "unused-tensor", "context-full",
        "not-finite", "too-hard", "diverged", "unsolvable",
    ),
    RemoteFailure: ("network", "denied", "remote"),
    Cancelled: ("cancelled",),
    Closed: ("closed",),
    Forked: ("forked",),
    CambiumError: ("internal",),
}
"""The codes of each family."""

_BY_CODE = {code: family for family, codes in FAMILIES.items() for code in codes}


def make(code: str, message: str) -> CambiumError:
    """The exception of a code."""
    return _BY_CODE.get(code, CambiumError)(message, code)
