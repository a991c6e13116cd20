"""Remotes of a store: folders and buckets that keep commits of several stores."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ._library import (
    ANONYMOUS,
    DELETE,
    DRY_RUN,
    FORCE,
    LAZY,
    SINGLE_WRITER,
    TAGS,
    VIRTUAL_HOST,
    Access,
    Transfer,
    encoded,
    json_of,
    lib,
)
from .errors import BadInput, Conflict
from .given import Structures
from .progress import watched
from .sizes import whole


class Remotes:
    """The part of `Store` that moves commits to and from other stores."""

    path: str
    if TYPE_CHECKING:
        @property
        def _number(self) -> int: ...

        @property
        def _writer(self) -> int: ...

    def remotes(self) -> dict[str, str]:
        """The URLs of the remotes that the store knows, by name."""
        return {one["name"]: one["url"] for one in json_of(lib.remotes, self._number)}

    def add_remote(
        self, name: str, url: str, *, endpoint: str | None = None, region: str | None = None,
        profile: str | None = None, ca_file: str | os.PathLike[str] | None = None,
        virtual_host: bool = False, anonymous: bool = False, single_writer: bool = False,
    ) -> dict[str, Any]:
        """Makes a remote known, after trying on scratch keys that it keeps its word.

        `url`: "file:///a/folder" or "s3://BUCKET/PREFIX". Credentials come from AWS_ACCESS_KEY_ID
        and so on, or a `profile` of ~/.aws. `single_writer` is your promise that nobody else writes
        there, for a server that ignores conditions.

        Raises Exists, BadInput, RemoteFailure.
        """
        kept = Structures()
        access = _access(
            kept, endpoint, region, profile, ca_file, virtual_host, anonymous, single_writer)
        return json_of(
            lib.remote_add, self._writer, encoded(name, "the name"), encoded(url, "the URL"),
            ctypes.byref(access),
        )

    def remove_remote(self, name: str) -> None:
        """Forgets a remote; what it keeps stays there. Raises NotFound."""
        lib.remote_remove(self._writer, encoded(name, "the name"))

    def push(
        self, remote: str | None = None, branches: str | Iterable[str] = (), *,
        tags: bool = False, force: bool = False, delete: bool = False, dry_run: bool = False,
        jobs: int = 4, rate: int | None = None, progress: Any = None,
    ) -> dict[str, Any]:
        """Sends branches (none: the one that HEAD is on), their commits and data.

        Only what the remote lacks is sent. `remote`: None for "origin", or the only one. `force`
        moves a branch even where commits of others are lost; `delete` removes branches there.

        Raises BranchMoved where somebody else was faster: `pull`, and push again. Raises NotFound,
        Exists (a tag that is elsewhere), RemoteFailure.
        """
        flags = (
            (TAGS if tags else 0) | (FORCE if force else 0) | (DELETE if delete else 0)
            | (DRY_RUN if dry_run else 0)
        )
        kept = Structures()
        wanted = _transfer(kept, branches, 0, jobs, rate, flags=flags)
        return _work(lib.push, self._writer, remote, wanted, progress)

    def fetch(
        self, remote: str | None = None, branches: str | Iterable[str] = (), *,
        depth: int | None = None, jobs: int = 4, rate: int | None = None, progress: Any = None,
    ) -> dict[str, Any]:
        """Brings branches (none: all, and all tags) of a remote as "REMOTE/BRANCH".

        `depth`: commits of each at most; 0 brings what was left out before, too.

        Raises NotFound, RemoteFailure, Corrupt.
        """
        kept = Structures()
        wanted = _transfer(kept, branches, -1 if depth == 0 else depth or 0, jobs, rate)
        return _work(lib.fetch, self._writer, remote, wanted, progress)

    def pull(
        self, remote: str | None = None, branch: str | None = None, *, policy: str | None = None,
        jobs: int = 4, rate: int | None = None, progress: Any = None,
    ) -> dict[str, Any]:
        """Fetches a branch and merges it into the local one (None: that of HEAD).

        Raises Conflict where both went on, disagree, and no `policy` decides; what came is
        "REMOTE/BRANCH" then, and the branch is as it was.
        """
        kept = Structures()
        wanted = _transfer(kept, [branch] if branch else (), 0, jobs, rate)
        wanted.policy = kept.text(policy, "the policy")
        result = _work(lib.pull, self._writer, remote, wanted, progress)
        merge = result.get("merge") or {}
        if merge.get("conflicts"):
            error = Conflict(f"{len(merge['conflicts'])} conflicts; the branch is as it was")
            error.result = result
            raise error
        return result


def clone(
    url: str, path: str | os.PathLike[str], *, branch: str | None = None, depth: int | None = None,
    lazy: bool = False, endpoint: str | None = None, region: str | None = None,
    profile: str | None = None, ca_file: str | os.PathLike[str] | None = None,
    virtual_host: bool = False, anonymous: bool = False, jobs: int = 4, rate: int | None = None,
    progress: Any = None,
) -> dict[str, Any]:
    """Makes a store of a remote, which it knows as "origin"; open it with `cambium.open`.

    `branch`: the only one that comes; `depth`: so many commits of each; `lazy`: tensors and experts
    stay on the remote until they are read. A clone that was cut off goes on with the same call.

    Raises Exists, BadInput, NotFound, RemoteFailure, Corrupt.
    """
    kept = Structures()
    access = _access(kept, endpoint, region, profile, ca_file, virtual_host, anonymous, False)
    wanted = _transfer(
        kept, [branch] if branch else (), depth or 0, jobs, rate, flags=LAZY if lazy else 0)
    with watched(progress) as callback:
        return json_of(
            lib.clone, encoded(url, "the URL"), encoded(path, "the path"), ctypes.byref(access),
            ctypes.byref(wanted), callback, None,
        )


def _work(
    function: Any, number: int, remote: str | None, wanted: Transfer, progress: Any
) -> dict[str, Any]:
    with watched(progress) as callback:
        return json_of(
            function, number, encoded(remote, "the remote"), ctypes.byref(wanted), callback, None)


def _access(
    kept: Structures, endpoint: str | None, region: str | None, profile: str | None,
    ca_file: str | os.PathLike[str] | None, virtual_host: bool, anonymous: bool,
    single_writer: bool,
) -> Access:
    flags = (
        (VIRTUAL_HOST if virtual_host else 0) | (ANONYMOUS if anonymous else 0)
        | (SINGLE_WRITER if single_writer else 0)
    )
    return Access(
        endpoint=kept.text(endpoint, "the endpoint"), region=kept.text(region, "the region"),
        profile=kept.text(profile, "the profile"), ca_file=kept.text(ca_file, "the file"),
        flags=flags,
    )


def _transfer(
    kept: Structures, branches: str | Iterable[str], depth: int, jobs: int, rate: int | None, *,
    flags: int = 0,
) -> Transfer:
    names = [branches] if isinstance(branches, str) else list(branches)
    if not 1 <= whole(jobs, "jobs") <= 64:
        raise BadInput(f"{jobs} jobs; give 1 to 64", "usage")
    texts = kept.texts(names, "a branch")
    return Transfer(
        branches=texts, branch_count=len(names), depth=depth, jobs=jobs, flags=flags,
        rate=whole(rate, "the rate") if rate else 0,
    )
