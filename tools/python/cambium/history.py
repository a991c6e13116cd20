"""Branches, tags, the log, differences and merges of a store."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from ._library import ALLOW_UNFIT, DRY_RUN, LogQuery, MergeOptions, encoded, json_of, lib, text_of
from .changes import Changes
from .diff import Diff
from .errors import BadInput, Conflict
from .given import Structures
from .records import Commit, Log, MergeResult, Move, Reference
from .sizes import seconds, whole

if TYPE_CHECKING:
    from .store import Store


class History:
    """The part of `Store` that is about commits and what points to them."""

    if TYPE_CHECKING:
        @property
        def _number(self) -> int: ...

        @property
        def _writer(self) -> int: ...

    # Branches and tags

    def branch(self, name: str, at: str = "HEAD") -> None:
        """Makes a branch at a revision.

        Raises Exists, NotFound, BadInput.
        """
        lib.create_branch(
            self._writer, encoded(name, "the name"), encoded(at, "the revision")
        )

    def tag(self, name: str, at: str = "HEAD") -> None:
        """Makes a tag at a revision; tags do not move.

        Raises Exists, NotFound, BadInput.
        """
        lib.create_tag(self._writer, encoded(name, "the name"), encoded(at, "the revision"))

    def branches(self) -> list[Reference]:
        """All branches, by name."""
        return [Reference(one) for one in json_of(lib.branches, self._number)]

    def tags(self) -> list[Reference]:
        """All tags, by name."""
        return [Reference(one) for one in json_of(lib.tags, self._number)]

    @property
    def current_branch(self) -> str | None:
        """The branch that HEAD is on; None where HEAD is on a commit."""
        return text_of(lib.current_branch, self._number)

    def delete_branch(self, name: str) -> None:
        """Removes a branch; its commits stay until they are collected after the grace period.

        Raises NotFound.
        """
        lib.delete_branch(self._writer, encoded(name, "the name"))

    def delete_tag(self, name: str) -> None:
        """Removes a tag.

        Raises NotFound.
        """
        lib.delete_tag(self._writer, encoded(name, "the name"))

    def rename_branch(self, name: str, new_name: str) -> None:
        """Gives a branch another name.

        Raises NotFound, Exists.
        """
        lib.rename_branch(self._writer, encoded(name, "the name"), encoded(new_name, "the name"))

    def switch(self, revision: str) -> None:
        """Points HEAD at a branch, or at any commit.

        Raises NotFound.
        """
        lib.switch(self._writer, encoded(revision, "the revision"))

    def reset(self, revision: str, *, branch: str | None = None) -> Move:
        """Moves a branch (None for the one that HEAD is on) to any commit.

        Raises NotFound.
        """
        return Move(
            json_of(
                lib.reset, self._writer, encoded(revision, "the revision"),
                encoded(branch, "the branch"),
            )
        )

    # Commits

    def show(self, revision: str = "HEAD") -> Commit:
        """One commit.

        Raises NotFound.
        """
        return Commit(json_of(lib.show, self._number, encoded(revision, "the revision")))

    def log(
        self, *revisions: str, limit: int | None = None, all: bool = False,
        since: datetime | int | None = None, until: datetime | int | None = None,
        author: str | None = None, message: str | None = None, path: str | None = None,
        metric: str | None = None, descending: bool = False,
    ) -> Log:
        """Commits, newest first: those that lead to the revisions (HEAD without any); `A..B` are
        those that lead to B and not to A.

        `all` starts from every branch and tag. `path` keeps those that changed it: `3/17` (layer
        and expert), a tensor's or a file's name, `TENSOR:ROW`. `metric` sorts by a number that
        commits tell, the least first. Raises NotFound.
        """
        if limit is not None and whole(limit, "the limit") == 0:
            return Log()
        kept = Structures()
        starts = kept.texts(revisions, "a revision")
        query = LogQuery(
            revisions=starts, revision_count=len(revisions), all=all, limit=limit or 0,
            since=seconds(since), until=seconds(until), author=kept.text(author, "the author"),
            message=kept.text(message, "the message"), path=kept.text(path, "the path"),
            metric=kept.text(metric, "the metric"), descending=descending,
        )
        return Log(
            Commit(one) for one in json_of(lib.history, self._number, ctypes.byref(query))
        )

    def reflog(self, reference: str = "HEAD") -> list[dict[str, Any]]:
        """The moves of "HEAD", "heads/NAME" or "tags/NAME", newest first."""
        return json_of(lib.reflog, self._number, encoded(reference, "the reference"))

    def diff(self, old: str, new: str, *, norms: bool = False) -> Diff:
        """What differs between two revisions' models: `diff.experts[3]` are the numbers of the
        experts of layer 3 that changed, `diff.bytes` what they and the tensors that changed weigh.

        Grows with what differs. `norms`: read what changed and measure how far it moved. Raises
        NotFound.
        """
        return Diff(
            json_of(
                lib.diff, self._number, encoded(old, "the revision"),
                encoded(new, "the revision"), bool(norms),
            ), cast("Store", self),
        )

    def changes(self, old: str, new: str) -> Changes:
        """What turns one revision's weights into another's, element by element.

        Raises NotFound.
        """
        return Changes(cast("Store", self), old, new)

    # Reports

    def report(
        self, *revisions: str, title: str | None = None,
        output: str | os.PathLike[str] | None = None,
    ) -> str:
        """What happened, as one page of HTML that needs nothing from elsewhere.

        `revisions`: where history starts; none for every branch and tag. `output`: a file to write.

        Raises NotFound.
        """
        kept = Structures()
        page = text_of(
            lib.report, self._number, kept.texts(list(revisions), "a revision"), len(revisions),
            kept.text(title, "the title"),
        ) or ""
        if output is not None:
            with open(output, "w", encoding="utf-8", newline="") as file:
                file.write(page)
        return page

    def figure(self, name: str, *revisions: str, form: str | None = None) -> Any:
        """One figure of a report: its record, or as `form` "csv" or "svg" a text.

        `name`: history, metrics, loss, matrix, experts, rounds, sharing, storage or merges.

        Raises BadInput for another name or form, NotFound.
        """
        kept = Structures()
        text = text_of(
            lib.figure, self._number, kept.text(name, "the name"),
            kept.texts(list(revisions), "a revision"), len(revisions), kept.text(form, "the form"),
        ) or ""
        return json.loads(text) if form is None else text

    # Merging

    def merge(
        self, revisions: str | Iterable[str], *, into: str | None = None,
        policy: str | None = None, take: Mapping[str, str] | Iterable[str] = (),
        weights: Mapping[str, float] | None = None, density: float = 0.2, scale: float = 1.0,
        message: str | None = None, author: str | None = None,
        time: datetime | int | float | None = None, dry_run: bool = False,
        allow_unfit: bool = False,
    ) -> MergeResult:
        """Merges revisions into a branch (None for the one that HEAD is on), deterministically.

        `take` decides single conflicts before the policy: {"1/7": "law"}. `policy`: "none",
        "ours", "theirs", "mean", "ties", "task", "fisher", "regmean", "solve" (from the excerpts
        that sides and base keep), "alternatives"; `weights` of sides for mean, fisher and regmean,
        `density` of ties, `scale` of ties and task. `dry_run`: write nothing,
        and tell.

        Raises Conflict where sides disagree and nothing decides, without `dry_run`; nothing is
        written then, and its `result` has the conflicts. Raises Incompatible, NotFound.
        """
        names = [revisions] if isinstance(revisions, str) else list(revisions)
        decisions = [f"{what}={side}" for what, side in take.items()] if isinstance(
            take, Mapping) else list(take)
        for name, value in (("density", density), ("scale", scale)):
            if not 0 < value < float("inf"):
                raise BadInput(f"a {name} of {value}; give more than 0", "usage")
        kept = Structures()
        numbers, takes = kept.numbers(weights, "weights"), kept.texts(decisions, "a decision")
        options = MergeOptions(
            into=kept.text(into, "the branch"), policy=kept.text(policy, "the policy"),
            takes=takes, take_count=len(takes), weights=numbers, weight_count=len(numbers),
            density=density, scale=scale, message=kept.text(message, "the message"),
            author=kept.text(author, "the author"), time=seconds(time),
            flags=(DRY_RUN if dry_run else 0) | (ALLOW_UNFIT if allow_unfit else 0),
        )
        result = MergeResult(
            json_of(
                lib.merge, self._number if dry_run else self._writer,
                kept.texts(names, "a revision"), len(names), ctypes.byref(options),
            )
        )
        return result if dry_run else _decided(result)

    def revert(
        self, revision: str, *, branch: str | None = None, policy: str | None = None,
        message: str | None = None, author: str | None = None,
        time: datetime | int | float | None = None, allow_unfit: bool = False,
    ) -> MergeResult:
        """Undoes one commit on a branch; `policy`: "none", "ours" or "theirs".

        `allow_unfit`: also where the model does not run as the branch's history does.
        Raises Conflict, NotFound, Unfit.
        """
        kept = Structures()
        options = MergeOptions(
            into=kept.text(branch, "the branch"), policy=kept.text(policy, "the policy"),
            message=kept.text(message, "the message"), author=kept.text(author, "the author"),
            time=seconds(time), flags=ALLOW_UNFIT if allow_unfit else 0,
        )
        return _decided(
            MergeResult(
                json_of(
                    lib.revert, self._writer, encoded(revision, "the revision"),
                    ctypes.byref(options),
                )
            )
        )


def _decided(result: MergeResult) -> MergeResult:
    if result.conflicts:
        first = ", ".join(one["entity"] for one in result.conflicts[:3])
        error = Conflict(
            f"{len(result.conflicts)} conflicts, nothing was written: {first}"
            f"{', …' if len(result.conflicts) > 3 else ''}; decide them by `take` or a policy"
        )
        error.result = result
        raise error
    return result
