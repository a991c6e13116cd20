"""What the store tells: records with the keys of the command line's JSON, as attributes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any


class Record:
    """A record of the library. `record["newBytes"]` has its key as the command line spells it."""

    __slots__ = ("data",)

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.data == self.data

    __hash__ = None  # type: ignore[assignment]

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

    def __hash__(self) -> int:
        return hash(self.id)

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

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        what = "unchanged" if self.unchanged else f"{self.new_bytes:,} new bytes"
        return f"<CommitResult {self.id[:12]} on {self.branch}: {what}>"
