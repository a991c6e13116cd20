"""Models whose weights become codes."""

from __future__ import annotations

import ctypes
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ._library import QuantizeOptions, json_of, lib
from .committing import options
from .engine import _THREADS, _text
from .given import Structures
from .progress import watched
from .records import QuantizeResult
from .sizes import whole


class Quantizing:
    """The part of `Store` that makes codes of a model's weights."""

    if TYPE_CHECKING:
        @property
        def _writer(self) -> int: ...

    def quantize(
        self, revision: str = "HEAD", *, experts: str | None = None, dense: str | None = None,
        routers: str | None = None, embeddings: str | None = None,
        text: str | bytes | None = None, limit: int | None = None, threads: int = 0,
        message: str | None = None, branch: str | None = None, author: str | None = None,
        time: datetime | int | float | None = None, progress: Any = None,
    ) -> QuantizeResult:
        """Commits a model with weights as blocks of 32 codes with one scale: "q8" or "q4", with the
        numbers of GGUF's Q8_0 and Q4_0.

        `dense`: matrices of attention, feed-forwards and the head. What is not named stays exact.
        With a `text`, its first `limit` bytes (None for all) are measured before and after. The
        commit goes to `branch`, or for None to the revision where it is a branch, else to HEAD's; a
        branch that is missing begins at the revision.

        Raises BadInput without a part; ModelFailure for a model that is codes already, or that has
        nothing that can be; BranchMoved. Then the store is as it was.
        """
        parts = {
            "experts": experts, "dense": dense, "routers": routers, "embeddings": embeddings
        }
        words = ", ".join(f"{part} {form}" for part, form in parts.items() if form is not None)
        kept = Structures()
        data = None if text is None else _text(text)
        chosen = QuantizeOptions(
            **{part: kept.text(form, f"the form of {part}") for part, form in parts.items()},
            text=data, text_count=len(data or b""), limit=whole(limit or 0, "the limit"),
            threads=whole(threads, "threads", _THREADS),
        )
        commit = options(
            kept, message or f"quantise {words}", branch=branch, author=author, time=time)
        with watched(progress) as callback:
            return QuantizeResult(
                json_of(
                    lib.quantize_model, self._writer, kept.text(revision, "the revision"),
                    ctypes.byref(chosen), commit, callback, None,
                )
            )
