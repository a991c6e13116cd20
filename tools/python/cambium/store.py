"""A store: one directory with every version of a model."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import _processes
from ._library import OPEN_READ_ONLY, encoded, id_of, lib
from ._processes import Handle
from .care import Care
from .committing import commit_adapter, commit_folder, commit_patch, commit_tensors
from .engine import Engine
from .errors import BadInput, Closed, NotFound, StorageFailure
from .history import History
from .html import escape, size, table
from .plots import plot_history
from .quantizing import Quantizing
from .records import CommitResult
from .remotes import Remotes
from .snapshot import Snapshot
from .transaction import Transaction


class Store(History, Remotes, Care, Quantizing):
    """An expert store, open for reading and writing.

    `store["main"]` is a snapshot of a revision: a branch, a tag, an id or its first digits,
    `main~2`. Any thread may use it. It pickles as its path, and a forked process opens it anew
    when it first uses it.
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self.path: str = os.path.abspath(_path(path))
        """Where it is."""
        self.read_only = read_only
        """Whether it never writes and waits for no writer."""
        self._handle: Handle | None = None
        self._handle = self._opened()

    def _opened(self) -> Handle:
        number = ctypes.c_void_p()
        flags = OPEN_READ_ONLY if self.read_only else 0
        lib.open(encoded(self.path, "the path"), flags, ctypes.byref(number))
        return Handle(number.value or 0)

    @property
    def _number(self) -> int:
        handle = self._handle
        if handle is None:
            raise Closed(f"the store {self.path} is closed")
        if handle.generation != _processes.generation:
            self._handle = handle = self._opened()
        return handle.number

    @property
    def _writer(self) -> int:
        # In one process the library shares what is open, and another may have it open to write.
        if self.read_only:
            raise StorageFailure(f"the store at {self.path} was opened read-only", "read-only")
        return self._number

    def _reopenable(self) -> Store:
        """The same store for a snapshot, which outlives `close()`."""
        other = object.__new__(type(self))
        other.path, other.read_only, other._handle = self.path, self.read_only, self._handle
        return other

    def close(self) -> None:
        """Ends its use; snapshots and arrays that were taken stay valid."""
        self._handle = None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._handle is None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self):
        return _store, (self.path, self.read_only)

    # Reading

    def resolve(self, revision: str) -> str:
        """The id of the commit that a revision names.

        Raises NotFound; BadInput for what is no revision.
        """
        return id_of(lib.resolve, self._number, encoded(revision, "the revision"))

    def snapshot(self, revision: str = "HEAD", *, framework: str = "np") -> Snapshot:
        """A revision's model, mapped for reading; its tensors give arrays ("np") or torch's ("pt").

        Costs as much as the model has tensors; nothing of the weights is read. Raises NotFound.
        """
        return Snapshot(self, revision, framework)

    def __getitem__(self, revision: str) -> Snapshot:
        return Snapshot(self, revision)

    def __contains__(self, revision: object) -> bool:
        try:
            self.resolve(revision)  # type: ignore[arg-type]
        except (NotFound, BadInput):
            return False
        return True

    # Writing

    def commit(
        self, model: str | os.PathLike[str] | Mapping[str, Any], *, message: str,
        branch: str | None = None, parent: str | None = None, config: Any = None,
        files: Mapping[str, Any] | None = None,
        header: Mapping[str, str] | None = {"format": "pt"},  # noqa: B006
        metadata: Mapping[str, Any] | None = None, metrics: Mapping[str, float] | None = None,
        author: str | None = None, time: datetime | int | float | None = None,
        allow_unchanged: bool = False, allow_unfit: bool = False, alone: bool = False,
        progress: Any = None,
    ) -> CommitResult:
        """Commits a whole model.

        `model`: a folder or a safetensors file; or a mapping of names to arrays, torch tensors
        (a state dict) or lazy tensors of a snapshot, which are read where they are: no file is
        written. Names of transformers' live modules, with all experts of a layer in one tensor, and
        those of checkpoints give the same id, that of what `save_pretrained` writes in one file.
        `config` (a mapping, a text, or a config of transformers) becomes config.json, `files`
        maps names to what else goes with the model; without them those of the branch's head stay,
        but for `alone`. `header` is what the file's header would have.

        `branch`: None for the one that HEAD is on; one that is missing is made. `parent`: the
        commit that the branch must be at. `metadata` are texts by key, `metrics` numbers by name.
        `allow_unchanged`: commit even when the model is the head's. `allow_unfit`: also a model
        that does not run as the branch's history does. `progress`: a function of (phase, done,
        total), or True for a bar of tqdm.

        Raises BranchMoved; BadInput for names, shapes and dtypes that cannot be; BadCheckpoint;
        ModelFailure. Then the store is as it was.
        """
        wishes: dict[str, Any] = {
            "branch": branch, "parent": parent, "author": author, "time": time,
            "metadata": metadata, "metrics": metrics, "allow_unchanged": allow_unchanged,
            "allow_unfit": allow_unfit, "alone": alone,
        }
        if isinstance(model, (str, os.PathLike)):
            if config is not None or files is not None:
                raise BadInput("a folder has its own config and files", "usage")
            return commit_folder(self, model, message, progress, wishes)
        if not isinstance(model, Mapping):
            raise BadInput(
                f"a {type(model).__name__} is no folder and no mapping of names to tensors", "usage"
            )
        return commit_tensors(
            self, model, message, config=config, files=files, header=header, progress=progress,
            wishes=wishes,
        )

    def transaction(
        self, branch: str | None = None, *, message: str, parent: str | None = None,
        metadata: Mapping[str, Any] | None = None, metrics: Mapping[str, float] | None = None,
        author: str | None = None, time: datetime | int | float | None = None,
        allow_unfit: bool = False, progress: Any = None,
    ) -> Transaction:
        """Changes of single experts, rows and elements that become one commit:

        ```python
        with store.transaction("sft", message="3 experts") as t:
            t.put_expert(layer=3, expert=17, tensors={"down_proj": d})
        ```

        A branch that is missing is made, from HEAD. Raises NotFound, and where the block ends
        BranchMoved when the branch moved meanwhile.
        """
        return Transaction(
            self, branch, message, progress,
            {"parent": parent, "author": author, "time": time, "metadata": metadata,
             "metrics": metrics, "allow_unfit": allow_unfit},
        )

    def commit_patch(
        self, path: str | os.PathLike[str], *, message: str, branch: str | None = None,
        parent: str | None = None, metadata: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None, author: str | None = None,
        time: datetime | int | float | None = None, allow_unfit: bool = False,
        progress: Any = None,
    ) -> CommitResult:
        """Commits what a patch file changes of the branch's model (`Changes.write` makes one).

        Raises as `commit`.
        """
        wishes: dict[str, Any] = {
            "branch": branch, "parent": parent, "author": author, "time": time,
            "metadata": metadata, "metrics": metrics, "allow_unfit": allow_unfit,
        }
        return commit_patch(self, path, message, progress, wishes)

    def commit_adapter(
        self, folder: str | os.PathLike[str], *, base: str, branch: str | None = None,
        message: str | None = None, bake: bool = False, parent: str | None = None,
        metadata: Mapping[str, Any] | None = None, metrics: Mapping[str, float] | None = None,
        author: str | None = None, time: datetime | int | float | None = None,
        progress: Any = None,
    ) -> CommitResult:
        """Commits an adapter of peft: a folder with adapter_config.json and its tensors.

        A branch that is missing begins at `base`, which the commit's metadata name
        ("adapter.base"); an export gives the folder back. `bake`: commit the model that the adapter
        makes of its base instead (LoRA on the weights of modules), as peft merges it. Raises
        BadInput, ModelFailure for an adapter of a kind that is not baked, NotFound.
        """
        wishes: dict[str, Any] = {
            "branch": branch, "parent": parent, "metadata": metadata, "metrics": metrics,
            "author": author, "time": time,
        }
        if message is None:
            message = f"adapter {os.path.basename(os.path.normpath(folder))} on {base}"
        return commit_adapter(self, folder, base, bake, message, progress, wishes)

    # Running

    def engine(
        self, revision: str = "HEAD", *, memory_limit: int | str | None = None, cold: bool = False
    ) -> Engine:
        """A model that runs on the store's records, and reads the experts that tokens pick.

        `memory_limit`: bytes that this process may have, mapped and own together, or a text like
        "300M". `cold`: do not ask for the experts that the usage profile names. Raises ModelFailure
        for a model that does not run here, NotFound.
        """
        return Engine(self, revision, memory_limit=memory_limit, cold=cold)

    # Looking

    def plot_history(
        self, metric: str | None = None, *, limit: int = 100, ax: Any = None
    ) -> Any:
        """A picture by matplotlib of the newest commits' graph; or, with a metric, of that number
        along every branch.

        Returns the axes. Raises NotFound for a metric that no commit tells.
        """
        return plot_history(self, metric, limit, ax)

    def _repr_html_(self) -> str:
        if self.closed:
            return escape(repr(self))
        head = self.current_branch
        rows = [
            (f"{one.name}{' ←' if one.name == head else ''}", one.id[:12], one.subject,
             f"{one.time:%Y-%m-%d %H:%M}")
            for one in self.branches()
        ] + [(f"tag {one.name}", one.id[:12], one.subject, f"{one.time:%Y-%m-%d %H:%M}")
             for one in self.tags()]
        found = self.status()
        title = f"{escape(self.path)}: {size(found['fileBytes'])}"
        return table(("branch", "commit", "message", "time"), rows, title)

    # A store is no sequence, which `__getitem__` would make it look like.
    __iter__ = None

    def __repr__(self) -> str:
        return f"<Store {self.path}{' (closed)' if self.closed else ''}>"


def _path(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise BadInput(f"the path is a {type(text).__name__}, not a text", "usage")
    if not text:
        raise BadInput("the path is empty", "usage")
    return text


def _store(path: str, read_only: bool) -> Store:
    return Store(path, read_only=read_only)


def open(path: str | os.PathLike[str], *, read_only: bool = False) -> Store:
    """Opens a store.

    Raises NotAStore, with the code "format-too-new" for one of a newer version.
    """
    return Store(path, read_only=read_only)


def init(path: str | os.PathLike[str], *, branch: str = "main") -> Store:
    """Makes a new, empty store in a directory, and opens it.

    Raises Exists.
    """
    lib.create(encoded(_path(path), "the path"), encoded(branch, "the branch"))
    return Store(path)
