"""What the store tells: records with the keys of the command line's JSON, as attributes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from .html import code, escape, table


class Record:
    """A record of the library. `record["newBytes"]` has its key as the command line spells it."""

    __slots__ = ("data",)

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.data == self.data

    def __hash__(self) -> int:
        return hash(self.data.get("id") or repr(self.data))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.data}>"


class Commit(Record):
    """One commit."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """64 digits."""
        return self.data["id"]

    @property
    def tree(self) -> str:
        """The model's id: equal for equal models."""
        return self.data["tree"]

    @property
    def parents(self) -> list[str]:
        """Ids; two or more for a merge."""
        return self.data["parents"]

    @property
    def time(self) -> datetime:
        """When it was made, in UTC."""
        return datetime.fromtimestamp(self.data["time"], timezone.utc)

    @property
    def author(self) -> str:
        """Who made it."""
        return self.data["author"]

    @property
    def message(self) -> str:
        """What the round was."""
        return self.data["message"]

    @property
    def subject(self) -> str:
        """The message's first line."""
        return self.message.split("\n", 1)[0]

    @property
    def metadata(self) -> dict[str, str]:
        """Texts by key."""
        return self.data["metadata"]

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers by name."""
        return self.data["metrics"]

    @property
    def references(self) -> list[str]:
        """Branches and tags that point here."""
        return self.data["references"]

    @property
    def notes(self) -> list[dict[str, Any]]:
        """What became known later, the oldest first."""
        return self.data["notes"]

    def __repr__(self) -> str:
        return f"<Commit {self.id[:12]} {self.subject!r}>"


class CommitResult(Record):
    """What a commit stored."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """The commit's id; the branch's head where nothing changed."""
        return self.data["id"]

    @property
    def tree(self) -> str:
        """The model's id."""
        return self.data["tree"]

    @property
    def branch(self) -> str:
        """The branch that was moved."""
        return self.data["branch"]

    @property
    def parents(self) -> list[str]:
        """The ids of the commit's parents."""
        return self.data["parents"]

    @property
    def unchanged(self) -> bool:
        """Whether the model is the head's; then no commit was made."""
        return self.data["unchanged"]

    @property
    def new_bytes(self) -> int:
        """Bytes of the objects that the store did not have."""
        return self.data["newBytes"]

    @property
    def stored_bytes(self) -> int:
        """Bytes that it took to keep them."""
        return self.data["storedBytes"]

    @property
    def notes(self) -> list[str]:
        """Sentences that one should read."""
        return self.data["notes"]

    def __repr__(self) -> str:
        what = "unchanged" if self.unchanged else f"{self.new_bytes:,} new bytes"
        return f"<CommitResult {self.id[:12]} on {self.branch}: {what}>"


class QuantizeResult(Record):
    """What quantising a model made of it."""

    __slots__ = ()

    @property
    def commit(self) -> CommitResult:
        """The commit."""
        return CommitResult(self.data["commit"])

    @property
    def forms(self) -> dict[str, str]:
        """The parts of the model that are codes now, and their forms."""
        return self.data["forms"]

    @property
    def left(self) -> list[str]:
        """What was asked for and stays as it is, each with the reason."""
        return self.data["left"]

    @property
    def bits_per_byte(self) -> list[float] | None:
        """Before and after; None without a text."""
        return self.data.get("bitsPerByte")

    def __repr__(self) -> str:
        what = ", ".join(f"{part} {form}" for part, form in self.forms.items())
        return f"<QuantizeResult {self.commit.id[:12]}: {what}>"


class Reference(Record):
    """A branch or a tag."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Its name."""
        return self.data["name"]

    @property
    def id(self) -> str:
        """The commit that it is at."""
        return self.data["id"]

    @property
    def subject(self) -> str:
        """The first line of that commit's message."""
        return self.data["subject"]

    @property
    def is_head(self) -> bool:
        """Whether HEAD is on it."""
        return self.data["isHead"]

    @property
    def time(self) -> datetime:
        """When that commit was made, in UTC."""
        return datetime.fromtimestamp(self.data["time"], timezone.utc)

    def __repr__(self) -> str:
        return f"<{self.name} {self.id[:12]} {self.subject!r}{' HEAD' if self.is_head else ''}>"


class Move(Record):
    """Where a branch was, and where it is."""

    __slots__ = ()

    @property
    def old(self) -> str:
        """The commit that it was at."""
        return self.data["old"]

    @property
    def new(self) -> str:
        """The commit that it is at."""
        return self.data["new"]


class Log(list[Commit]):
    """Commits, newest first; prints as a table."""

    def __repr__(self) -> str:
        return "\n".join(
            f"{one.id[:12]} {one.time:%Y-%m-%d %H:%M} "
            f"{'(' + ', '.join(one.references) + ') ' if one.references else ''}{one.subject}"
            for one in self
        ) or "<Log: no commits>"

    def _repr_html_(self) -> str:
        names = list(dict.fromkeys(name for one in self for name in one.metrics))[:6]
        return table(
            ("commit", "time", "where", "message", *names),
            (
                (one.id[:12], f"{one.time:%Y-%m-%d %H:%M}", ", ".join(one.references), one.subject,
                 *(one.metrics.get(name) for name in names))
                for one in self
            ),
        )


class MergeResult(Record):
    """How a merge or a revert ended."""

    __slots__ = ()

    @property
    def kind(self) -> str:
        """"merged", "fast-forward", "up-to-date" or "conflicts"."""
        return self.data["kind"]

    @property
    def commit(self) -> str | None:
        """The branch's new head; None where nothing was written."""
        return self.data.get("commit")

    @property
    def tree(self) -> str | None:
        """The merged model's id; None with conflicts."""
        return self.data.get("tree")

    @property
    def branch(self) -> str:
        """The branch that was merged into."""
        return self.data["branch"]

    @property
    def conflicts(self) -> list[dict[str, Any]]:
        """What is left to decide; `one["path"]` is what `take` calls it."""
        return self.data["conflicts"]

    @property
    def settled(self) -> list[dict[str, Any]]:
        """What decisions or the policy settled."""
        return self.data["settled"]

    def _repr_html_(self) -> str:
        title = f"{self.kind} into {escape(self.branch)} {code((self.commit or '')[:12])}"
        rows = [
            (one["path"], ", ".join(one["sides"]),
             "undecided" if one in self.conflicts else one.get("taken") or one.get("policy"))
            for one in (self.conflicts + self.settled)[:100]
        ]
        return table(("conflict", "sides", "decided"), rows, title) if rows else title

    def __repr__(self) -> str:
        where = f" {self.commit[:12]}" if self.commit else ""
        return (
            f"<MergeResult {self.kind} into {self.branch}{where}: {len(self.conflicts)} conflicts, "
            f"{len(self.settled)} settled>"
        )


class CollectResult(Record):
    """What a collection found, and removed where it pruned."""

    __slots__ = ()

    @property
    def pruned(self) -> bool:
        """Whether anything was removed."""
        return self.data["pruned"]

    @property
    def dead_bytes(self) -> int:
        """Bytes that nothing needs."""
        return self.data["deadBytes"]

    @property
    def companion_bytes(self) -> int:
        """Bytes beside commits that no branch is at: optimizer states."""
        return self.data["companionBytes"]

    @property
    def live_bytes(self) -> int:
        """Bytes that something needs."""
        return self.data["liveBytes"]

    def __repr__(self) -> str:
        what = "removed" if self.pruned else "not needed"
        return f"<CollectResult {self.dead_bytes:,} bytes {what}, {self.live_bytes:,} in use>"


class VerifyResult(Record):
    """What a verification found."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Whether there is no fault."""
        return not self.data["faults"]

    @property
    def faults(self) -> list[dict[str, str]]:
        """Every fault: {"subject", "message"}."""
        return self.data["faults"]

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return (
            f"<VerifyResult {len(self.faults)} faults in {self.data['objects']:,} objects, "
            f"{self.data['bytes']:,} bytes, {self.data['commits']} commits>"
        )


class Evaluation(Record):
    """How well a model predicts a text."""

    __slots__ = ()

    @property
    def bits_per_byte(self) -> float:
        """Mean of −log2 p over the predicted bytes, or, of tokens, for each of their bytes."""
        return self.data["bitsPerByte"]

    def __float__(self) -> float:
        return self.bits_per_byte

    def __repr__(self) -> str:
        return (
            f"<Evaluation {self.bits_per_byte:.4f} bits per byte, "
            f"{self.data['predictions']:,} predictions>"
        )
