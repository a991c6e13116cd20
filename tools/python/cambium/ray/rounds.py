"""`cambium round run` and `round merge` on the nodes of a Ray cluster."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import BadInput, CambiumError, Conflict


class RoundFailed(CambiumError):
    """A command, or what came before or after it, that ended with a status other than 0; nothing was pushed.

    `status` is the exit status, `output` the end of what was written, `task` the task's name.
    """

    code = "round-failed"

    def __init__(
        self, message: str, code: str | None = None, status: int = 1, output: str = "", task: str = ""
    ) -> None:
        super().__init__(message, code)
        self.status, self.output, self.task = status, output, task

    def __reduce__(self):
        return type(self), (self.message, self.code, self.status, self.output, self.task)


@dataclasses.dataclass(frozen=True)
class Round:
    """A finished round: its branch on the remote, and the commit that it ends with."""

    name: str
    branch: str
    commit: str
    tree: str
    base: str
    key: str
    metrics: Mapping[str, float]
    is_new: bool
    """Whether this run pushed it; False when the remote had it."""


# Options of `round run` that say how a remote is reached, and how many words follow.
_ACCESS = {
    "--endpoint": 1, "--region": 1, "--profile": 1, "--ca-file": 1, "--virtual-host": 0, "--anonymous": 0,
    "--single-writer": 0,
}
# How much of a command's words an error keeps.
_TAIL = 4_000


def map_rounds(
    tasks: Sequence[Mapping[str, Any]] | int,
    command: Sequence[str],
    *,
    remote: str,
    base: str = "main",
    base_branch: str | None = None,
    branch_prefix: str = "train/",
    options: Sequence[str] = (),
    program: str | None = None,
    max_retries: int = 4,
    ray_options: Mapping[str, Any] | None = None,
) -> list[Round]:
    """Runs a command for each task, as `cambium round run` on whichever node Ray takes; in the order of the tasks.

    A task is a mapping of fields, which stand for `{field}` in the words of the command and of which `name` names its branch, or
    `tasks` is how many there are. A task whose node dies runs again on another one, `max_retries` times; a round that the
    remote has already is found there and not run again. All tasks end before an error of one is raised.

    `options` are further ones of `round run`, such as `["--endpoint", "http://host:8333"]`; `ray_options` those of a Ray
    task, such as `{"num_gpus": 1}`; `program` is the path of `cambium` on the nodes (default: `CAMBIUM`, else on the PATH).
    Ray is started if it was not.
    """
    import ray

    lines = _lines(tasks)
    settings = {"max_retries": max_retries, **{"name": "cambium round", **(ray_options or {})}}
    look = ray.remote(_base).options(**settings)
    try:
        # Looked for once: the base is the same for all, even if its branch moves meanwhile.
        start = ray.get(look.remote(_program(program), ["--remote", remote, *_access(options)], base, base_branch))
    except ray.exceptions.RayTaskError as error:
        raise error.cause or error from None
    arguments = ["--remote", remote, *options, "--base", start["commit"], "--base-branch", start["branch"]]
    if start["commit"] != base:
        # What was finished before a branch moved is finished.
        arguments.append("--any-base")
    arguments += ["--branch", branch_prefix + "{name}"]
    run = ray.remote(_run).options(**settings)
    shared = ray.put("".join(line + "\n" for line in lines))
    running = [
        run.remote(_program(program), arguments, list(command), shared, index, _author())
        for index in range(len(lines))
    ]
    rounds: list[Round] = []
    failure: BaseException | None = None
    for reference in running:
        try:
            rounds.append(ray.get(reference))
        except ray.exceptions.RayTaskError as error:
            failure = failure or error.cause or error
        except ray.exceptions.RayError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return rounds


def merge_rounds(
    rounds: Sequence[Round | str],
    *,
    remote: str,
    into: str,
    policy: str = "none",
    options: Sequence[str] = (),
    program: str | None = None,
) -> str:
    """Merges finished rounds, or branches by name, as `cambium round merge`, in this process's machine; the commit.

    A `Round` is merged only if its branch still ends with it. The commit is the same whichever round finished first. Raises `Conflict` when sides disagree and no policy settles it.
    """
    lines = [
        json.dumps({"branch": item.branch, "key": item.key} if isinstance(item, Round) else {"branch": item})
        for item in rounds
    ]
    if not lines:
        raise BadInput("there are no rounds to merge")
    words = [_program(program), "round", "merge", "--json", "--remote", remote, *options]
    words += ["--into", into, "--policy", policy, "--rounds", "-"]
    return _json(*_call(words, "".join(line + "\n" for line in lines), _author()), "the merge")["head"]


def _lines(tasks: Sequence[Mapping[str, Any]] | int) -> list[str]:
    if isinstance(tasks, int):
        if tasks < 1:
            raise BadInput(f"{tasks} tasks: give 1 or more")
        return [str(index) for index in range(tasks)]
    lines = [json.dumps(task, ensure_ascii=False, allow_nan=False) for task in tasks]
    if not lines:
        raise BadInput("there are no tasks")
    return lines


def _program(program: str | None) -> str:
    return program or os.environ.get("CAMBIUM") or "cambium"


def _author() -> str | None:
    return os.environ.get("CAMBIUM_AUTHOR")


def _access(options: Sequence[str]) -> list[str]:
    """Those of some options of `round run` that reach the remote."""
    found, rest = [], list(options)
    while rest:
        word = rest.pop(0)
        count = _ACCESS.get(word.split("=")[0], -1)
        if count >= 0:
            found.append(word)
        if count == 1 and "=" not in word:
            found += rest[:1]
            del rest[:1]
    return found


def _base(program: str, remote: list[str], base: str, branch: str | None) -> dict[str, Any]:
    """On a node: the commit that rounds start from, and a branch that has it."""
    words = [program, "round", "base", "--json", *remote, base]
    if branch is not None:
        words += ["--base-branch", branch]
    return _json(*_call(words, None, None), "the base")


def _run(
    program: str, arguments: list[str], command: list[str], tasks: str, index: int, author: str | None
) -> Round:
    """On a node: one round."""
    words = [program, "round", "run", "--json", *arguments, "--tasks", "-", "--task", str(index)]
    status, output, errors = _call([*words, "--", *command], tasks, author)
    line = json.loads(tasks.split("\n")[index])
    name = str(line.get("name", index)) if isinstance(line, dict) else str(index)
    result = _json(status, output, errors, name)
    return Round(
        name=name, branch=result["branch"], commit=result["commit"], tree=result["tree"],
        base=result["base"], key=result["key"], metrics=result["metrics"], is_new=result["isNew"])


def _call(words: list[str], given: str | None, author: str | None) -> tuple[int, str, str]:
    environment = dict(os.environ)
    if author is not None:
        environment["CAMBIUM_AUTHOR"] = author
    # Files: a command may write more than a pipe holds, and keep on after it ended.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(
                words, stdin=subprocess.PIPE if given is not None else subprocess.DEVNULL,
                stdout=output, stderr=errors, env=environment, preexec_fn=_end_with_parent)
        except FileNotFoundError as error:
            raise RoundFailed(
                f"there is no program {words[0]!r} on {os.uname().nodename}: give program=, or set CAMBIUM",
                "not-found") from error
        child.communicate(given.encode() if given is not None else None)
        output.seek(0)
        errors.seek(0, os.SEEK_END)
        errors.seek(max(0, errors.tell() - _TAIL))
        return (
            child.returncode, output.read().decode(errors="replace"),
            errors.read().decode(errors="replace"))


def _end_with_parent() -> None:
    """A worker that is killed leaves no round behind (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _json(status: int, output: str, errors: str, name: str) -> dict[str, Any]:
    """What the program told; or what it said, as an exception."""
    if status == 0:
        return json.loads(output.splitlines()[-1])
    code, message = None, f"{name} ended with status {status}"
    for line in reversed(errors.splitlines()):
        try:
            told = json.loads(line)["error"]
        except (ValueError, KeyError, TypeError):
            continue
        code, message = told["code"], f"{name}: {told['message']}"
        break
    if code == "conflict":
        raise Conflict(message, code)
    raise RoundFailed(f"{message}\n{errors.strip()}" if code is None else message, code, status, errors, name)
