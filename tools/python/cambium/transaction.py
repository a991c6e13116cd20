"""Commits of single experts, rows and elements."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes
from ._library import ExpertEdit, json_of, lib
from .committing import options
from .errors import BadInput, CambiumError, NotFound
from .experts import Experts, Part
from .given import Given, Structures, given
from .progress import watched
from .records import CommitResult

if TYPE_CHECKING:
    from .store import Store


class Transaction:
    """Changes of a branch's model that become one commit where the `with` block ends; none where it
    ends with an error.

    What is put is read when the block ends, and costs what it weighs. The commit fails with
    BranchMoved where the branch moved since the block began. Afterwards `result` tells what
    was stored; `result` is None where nothing was put.
    """

    def __init__(
        self, store: Store, branch: str | None, message: str, progress: Any, wishes: dict[str, Any]
    ) -> None:
        self._store = store
        self._message = message
        self._progress = progress
        self._wishes = wishes
        base = branch if branch is not None and branch in store else "HEAD"
        self.snapshot = store[base]
        """What the changes are of."""
        parent = wishes.get("parent")
        if parent is None and base == branch:
            parent = self.snapshot.id
        elif parent is None and branch is None:
            parent = self.snapshot.id
        wishes.update(branch=branch, parent=parent)
        self.result: CommitResult | None = None
        """What was committed."""
        self._tensors: dict[str, Given] = {}
        self._rows: dict[str, dict[int, bytes]] = {}
        self._elements: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}
        self._experts: dict[tuple[int, str, int], dict[str, bytes] | None] = {}
        self._pools: dict[tuple[int, str], Experts] = {}
        self._open = True

    # Putting

    def put(self, name: str, value: Any) -> None:
        """A whole tensor, of the shape and dtype that it has.

        Raises NotFound, BadInput.
        """
        info = self._info(name)
        self._tensors[name] = self._like(name, value, info.dtype, info.shape)

    def put_rows(self, name: str, rows: Any, values: Any) -> None:
        """Rows of a tensor, which its first dimension counts: `values` [k, …] for `rows` [k], or
        one row's for one. Copied.

        Raises NotFound for rows that are not there, BadInput.
        """
        info = self._info(name)
        numbers = _numbers(rows, f"the rows of '{name}'")
        if not info.shape:
            raise BadInput(f"'{name}' has no rows", "bad-shape")
        if numbers.size and not (0 <= numbers.min() and numbers.max() < info.shape[0]):
            raise NotFound(f"'{name}' has {info.shape[0]} rows; {numbers.tolist()} were given")
        one = given(name, values)
        if one.shape == info.shape[1:] and numbers.size == 1:
            one = one.part(0, (1, *one.shape))
        self._same(name, one, info.dtype, (numbers.size, *info.shape[1:]))
        content = one.array().reshape(max(1, numbers.size), -1)
        table = self._rows.setdefault(name, {})
        for row, data in zip(numbers.tolist(), content):
            table[row] = data.tobytes()

    def put_elements(self, name: str, indices: Any, values: Any) -> None:
        """Single elements: `indices` [k] count row-major, or are a tuple of one array for each
        dimension; `values` [k]. Copied.

        Raises NotFound for elements that are not there, BadInput.
        """
        info = self._info(name)
        if isinstance(indices, tuple):
            try:
                indices = np.ravel_multi_index(indices, info.shape)
            except (ValueError, TypeError) as error:
                raise BadInput(f"the indices of '{name}': {error}", "bad-input") from None
        numbers = _numbers(indices, f"the indices of '{name}'")
        size = int(np.prod(info.shape, dtype=np.int64))
        if numbers.size and not (0 <= numbers.min() and numbers.max() < size):
            raise NotFound(f"'{name}' has {size} elements; an index is not among them")
        one = given(name, values)
        self._same(name, one, info.dtype, (numbers.size,))
        if dtypes.is_packed(info.dtype):
            raise BadInput(f"elements of {info.dtype} share bytes; put rows", "unsupported")
        all_indices, all_values = self._elements.setdefault(name, ([], []))
        all_indices.append(numbers)
        all_values.append(one.array().reshape(numbers.size, -1).copy())

    def put_expert(
        self, layer: int, expert: int, tensors: dict[str, Any], *, pool: str = "base"
    ) -> None:
        """Tensors of an expert by their short names; the others stay. The number behind the last
        one makes a new expert, of which all are needed. Copied.

        Raises NotFound, BadInput.
        """
        experts = self._pool(layer, pool)
        if not 0 <= expert <= len(experts):
            raise NotFound(
                f"there is no expert {expert} in {layer}/{pool}, which has {len(experts)}; "
                f"{len(experts)} would be new"
            )
        parts = {part.name: part for part in experts.parts}
        place = self._experts.get((layer, pool, expert)) or {}
        for name, value in tensors.items():
            part = parts.get(name)
            if part is None:
                raise NotFound(f"an expert of layer {layer} has no '{name}'; it has "
                               f"{', '.join(parts)}")
            one = self._like(f"{layer}/{expert} {name}", value, part.dtype, part.shape)
            place[name] = one.array().tobytes()
        self._experts[layer, pool, expert] = place

    def remove_expert(self, layer: int, expert: int, *, pool: str = "base") -> None:
        """Takes an expert out; its number stays empty.

        Raises NotFound.
        """
        experts = self._pool(layer, pool)
        if not 0 <= expert < len(experts):
            raise NotFound(f"there is no expert {expert} in {layer}/{pool}")
        self._experts[layer, pool, expert] = None

    # Ending

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self.commit()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Commits nothing."""
        self._open = False

    def commit(self) -> CommitResult | None:
        """Commits what was put, now; the end of a `with` block does.

        Raises BranchMoved.
        """
        if not self._open:
            return self.result
        tensors = self._patch()
        edits = self._edits()
        self._open = False
        if not tensors and not edits:
            return None
        kept = Structures()
        chosen = options(kept, self._message, **self._wishes)
        array = (ExpertEdit * len(edits))()
        for place, ((layer, pool, expert), content) in zip(array, edits.items()):
            place.layer, place.pool, place.ordinal = layer, pool.encode(), expert
            if content is not None:
                buffer = ctypes.create_string_buffer(content, len(content))
                kept.kept.append(buffer)
                place.data, place.count = ctypes.addressof(buffer), len(content)
        with watched(self._progress) as callback:
            self.result = CommitResult(
                json_of(
                    lib.patch_tensors, self._store._writer, kept.tensors(tensors), len(tensors),
                    array, len(edits), chosen, callback, None,
                )
            )
        return self.result

    def _patch(self) -> dict[str, Given]:
        """The tensors of a patch file: `T`; `T` with `T.rows`; `T.index` with `T.value`."""
        twice = self._tensors.keys() & (self._rows.keys() | self._elements.keys())
        twice |= self._rows.keys() & self._elements.keys()
        if twice:
            raise BadInput(
                f"'{min(twice)}' was put whole, by rows and by elements; choose one", "usage"
            )
        patch = dict(self._tensors)
        for name, table in self._rows.items():
            if not table:
                continue
            info = self.snapshot.info(name)
            numbers = np.array(sorted(table), np.int64)
            data = np.frombuffer(b"".join(table[row] for row in numbers.tolist()), np.uint8)
            patch[name] = Given(
                info.dtype, (len(numbers), *info.shape[1:]), data.ctypes.data, data.nbytes, data
            )
            patch[name + ".rows"] = given(name, numbers)
        for name, (indices, values) in self._elements.items():
            numbers = np.concatenate(indices)
            if not numbers.size:
                continue
            # Of an element that was put twice, the last counts.
            numbers, last = np.unique(numbers[::-1], return_index=True)
            data = np.ascontiguousarray(np.concatenate(values)[::-1][last])
            info = self.snapshot.info(name)
            patch[name + ".index"] = given(name, numbers)
            patch[name + ".value"] = Given(
                info.dtype, (len(numbers),), data.ctypes.data, data.nbytes, data
            )
        return patch

    def _edits(self) -> dict[tuple[int, str, int], bytes | None]:
        edits: dict[tuple[int, str, int], bytes | None] = {}
        for (layer, pool, expert), tensors in self._experts.items():
            if tensors is None:
                edits[layer, pool, expert] = None
                continue
            experts = self._pool(layer, pool)
            edits[layer, pool, expert] = b"".join(
                tensors[part.name] if part.name in tensors
                else self._kept(experts, expert, part) for part in experts.parts
            )
        return edits

    def _kept(self, experts: Experts, expert: int, part: Part) -> bytes:
        if expert >= len(experts):
            raise BadInput(
                f"the new expert {experts.layer}/{expert} has no '{part.name}'", "bad-input"
            )
        return experts[expert].get_tensor(part.name, framework="np").tobytes()

    # Checking

    def _pool(self, layer: int, pool: str) -> Experts:
        key = (layer, pool)
        if key not in self._pools:
            self._pools[key] = self.snapshot.experts(layer, pool)
        return self._pools[key]

    def _info(self, name: str) -> Any:
        if not self._open:
            raise CambiumError("the transaction has ended", "closed")
        return self.snapshot.info(name)

    def _like(self, name: str, value: Any, dtype: str, shape: tuple[int, ...]) -> Given:
        one = given(name, value)
        self._same(name, one, dtype, shape)
        return one

    def _same(self, name: str, one: Given, dtype: str, shape: tuple[int, ...]) -> None:
        if one.dtype != dtype:
            raise BadInput(f"'{name}' is {dtype}, and {one.dtype} was given", "bad-input")
        if one.shape != shape:
            raise BadInput(
                f"'{name}' takes {list(shape)}, and {list(one.shape)} was given", "bad-shape"
            )


def _numbers(values: Any, name: str) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    numbers = np.atleast_1d(np.asarray(values))
    if numbers.size == 0:
        return np.empty(0, np.int64)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise BadInput(f"{name} are no list of whole numbers", "bad-input")
    return numbers.astype(np.int64)
