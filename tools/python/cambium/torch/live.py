"""A snapshot by the names of a live model: experts that a checkpoint keeps one by one, stacked.

transformers 5 runs `….experts.gate_up_proj` [experts, 2·intermediate, hidden] and
`….experts.down_proj` [experts, hidden, intermediate], and saves `….experts.7.gate_proj.weight`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..readahead import will_need
from ..tensor import TensorInfo

if TYPE_CHECKING:
    from ..snapshot import Snapshot

_ONE = re.compile(r"(.+)\.experts\.(\d+)\.(gate_proj|up_proj|down_proj|w1|w2|w3)\.weight")
# What is laid one after the other in the second dimension.
_FUSED = {"gate_up_proj": (("gate_proj", "up_proj"), ("w1", "w3")),
          "down_proj": (("down_proj",), ("w2",))}
_EMBEDDING = "model.embed_tokens.weight"
# Mixtral's blocks have another name in its checkpoints.
_RENAMED = (".block_sparse_moe", ".mlp")


class _Stack(NamedTuple):
    """A stacked tensor: the names of its parts, [experts][parts], and its shape."""

    names: list[tuple[str, ...]]
    info: TensorInfo


class LiveTensors(Mapping[str, TensorInfo]):
    """The tensors of a snapshot, by the checkpoint's names and by those of the live model.

    Nothing of the weights is read before `read_into`.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._stacks: dict[str, _Stack] = {}
        self._plain: dict[str, str] = {name: name for name in snapshot}
        found: dict[str, dict[int, set[str]]] = {}
        for name in snapshot:
            if match := _ONE.fullmatch(name):
                block, number, part = match.groups()
                found.setdefault(block, {}).setdefault(int(number), set()).add(part)
            elif _RENAMED[0] + "." in name:
                self._plain[name.replace(*_RENAMED, 1)] = name
            elif name.endswith(_EMBEDDING) and snapshot.config.get("tie_word_embeddings"):
                self._plain.setdefault(name.removesuffix(_EMBEDDING) + "lm_head.weight", name)
        for block, parts in found.items():
            self._stack(block, parts)

    def _stack(self, block: str, found: dict[int, set[str]]) -> None:
        if sorted(found) != list(range(len(found))):
            return  # experts were removed; there is no stack of them
        for fused, choices in _FUSED.items():
            for parts in choices:
                if not all(set(parts) <= has for has in found.values()):
                    continue
                names = [tuple(f"{block}.experts.{number}.{part}.weight" for part in parts)
                         for number in range(len(found))]
                infos = [[self.snapshot.info(name) for name in each] for each in names]
                first = infos[0][0]
                if any(info != first or len(info.shape) != 2 for each in infos for info in each):
                    continue
                shape = (len(names), len(parts) * first.shape[0], first.shape[1])
                live = f"{block.replace(*_RENAMED, 1)}.experts.{fused}"
                self._stacks[live] = _Stack(names, TensorInfo(first.dtype, shape))

    @property
    def stacked(self) -> set[str]:
        """The live names that the checkpoint does not have."""
        return set(self._stacks)

    def parts_of(self, name: str) -> list[str]:
        """The checkpoint's names of what a live name stacks; of another, its own."""
        if name in self._stacks:
            return [part for each in self._stacks[name].names for part in each]
        return [self._plain[name]]

    def __getitem__(self, name: str) -> TensorInfo:
        if name in self._stacks:
            return self._stacks[name].info
        return self.snapshot.info(self._plain[name])

    def __iter__(self) -> Iterator[str]:
        yield from self._plain
        yield from self._stacks

    def __len__(self) -> int:
        return len(self._plain) + len(self._stacks)

    def read_into(
        self, name: str, target: torch.Tensor, offsets: tuple[int, ...] | None = None
    ) -> None:
        """Copies the box of a tensor that begins at `offsets` (all zeros for None) and has the
        target's shape into the target, whatever its device and dtype.

        Only what the box touches is read; nothing is held besides.
        """
        offsets = offsets or (0,) * target.dim()
        if name not in self._stacks:
            box = tuple(slice(at, at + size) for at, size in zip(offsets, target.shape))
            source = self.snapshot.get_tensor(self._plain[name], framework="pt")
            source = source[box] if box else source
            if source.is_contiguous():
                will_need(source)
            target.copy_(source)
            return
        stack = self._stacks[name]
        rows = self.snapshot.info(stack.names[0][0]).shape[0]
        first, height = offsets[1], target.shape[1]
        columns = slice(offsets[2], offsets[2] + target.shape[2])
        for number in range(target.shape[0]):
            for position, part in enumerate(stack.names[offsets[0] + number]):
                low = max(first, position * rows)
                high = min(first + height, (position + 1) * rows)
                if low < high:
                    source = self.snapshot.get_tensor(part, framework="pt")
                    source = source[low - position * rows : high - position * rows]
                    will_need(source)
                    source = source[:, columns]
                    target[number, low - first : high - first].copy_(source)
