"""Old behaviour that a fine-tune keeps close to, on stored states of old text."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from transformers import TrainerCallback

from ..errors import BadInput, NotFound
from .loading import snapshot_of

if TYPE_CHECKING:
    from ..snapshot import Snapshot

_MAGICS = (b"CEVS\x01", b"CEVS\x02")
_LAYER = re.compile(r"\.layers\.(\d+)\.")


def stored_states(snapshot: Snapshot, width: int | None = None) -> dict[int, np.ndarray]:
    """What each expert layer read on old text, [states, width], by the layer's number: the evidence of
    `cambium evidence add --kind states`, of all its records.

    Records of another width are of another model, and are left out: of another than `width`, or without it than the
    `hidden_size` of the snapshot's config.json.
    """
    if width is None and "config.json" in snapshot.files:
        width = json.loads(bytes(snapshot.file("config.json"))).get("hidden_size")
    found: dict[int, list[np.ndarray]] = {}
    for name in sorted(name for name in snapshot.files if name.startswith("evidence.")):
        record = snapshot.file(name)
        if bytes(record[:5]) in _MAGICS:
            layers = list(_decoded(bytes(record)))
            if width is None or all(states.shape[1] == width for _, states in layers):
                for layer, states in layers:
                    found.setdefault(layer, []).append(states)
    widths = {part.shape[1] for parts in found.values() for part in parts}
    if len(widths) > 1:
        raise BadInput(f"the records have states of widths {sorted(widths)}; say which width the model has")
    return {layer: np.concatenate(parts) for layer, parts in sorted(found.items())}


@torch.no_grad()
def states_of(model: torch.nn.Module, batches: Iterable[torch.Tensor], count: int = 1024) -> dict[int, torch.Tensor]:
    """What each block of experts reads of some batches of token ids, of `count` evenly spread tokens: for a
    `HoldCallback` of a model that is in no store.
    """
    found: dict[int, list[torch.Tensor]] = {}
    hooks = [
        block.register_forward_pre_hook(
            lambda _, given, number=number: found.setdefault(number, []).append(
                given[0].detach().reshape(-1, given[0].shape[-1])))
        for number, _, block in _blocks(model)
    ]
    mode = model.training
    model.eval()
    try:
        for batch in batches:
            model(batch)
    finally:
        model.train(mode)
        for hook in hooks:
            hook.remove()
    whole = {number: torch.cat(parts) for number, parts in sorted(found.items())}
    return {
        number: states[torch.arange(min(count, len(states))) * len(states) // min(count, len(states))]
        for number, states in whole.items()
    }


def _decoded(record: bytes) -> Iterator[tuple[int, np.ndarray]]:
    """A record's layers (docs/format.md, "Evidence")."""
    place = len(_MAGICS[0])

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = record[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    place += 1 + record[place] + 32
    number()
    place += 32
    count = number()
    for _ in range(number()):
        layer, width = number(), number()
        halves = np.frombuffer(record, "<u2", count * width, place)
        place += 2 * count * width
        yield layer, (halves.astype(np.uint32) << 16).view(np.float32).reshape(count, width)


class HoldCallback(TrainerCallback):
    """Keeps expert layers close to what they did on stored states of old text, as `cambium train --hold` does.

    To each step's loss comes the mean over the expert layers, of at most `states` drawn states of each, of

        weight * |y - y0|^2 / |y0|^2 + router_weight * KL(p0, p)

    where y is what the layer's block of experts gives for a state, p its router's softmax over all experts, and y0
    and p0 are those of `model` when this object is made: make it before training and before a checkpoint is loaded.
    The states are those of a revision ("S@main", a snapshot), recorded by `cambium evidence add --kind states`,
    or a mapping of layers to arrays [states, width]. `router_weight` None is `weight`.

        model = from_pretrained("S@main")
        Trainer(model, ..., callbacks=[HoldCallback(model, "S@main", weight=3)])

    Other loops add `hold.loss()` to theirs. The last distances are `hold.output` and `hold.router`. For one process,
    without loss scaling (fp16); routers are those with one row for each expert.
    """

    def __init__(
        self, model: torch.nn.Module, states: str | os.PathLike[str] | Snapshot | Mapping[int, Any],
        weight: float = 3.0, router_weight: float | None = None, *, count: int = 512, seed: int = 1,
    ) -> None:
        self.weight = float(weight)
        self.router_weight = self.weight if router_weight is None else float(router_weight)
        if min(self.weight, self.router_weight) < 0 or self.weight + self.router_weight <= 0:
            raise BadInput(f"weights of {self.weight} and {self.router_weight}: give 0 or more, and one above 0")
        if count < 1:
            raise BadInput(f"{count} states in a step; give 1 or more")
        self.count, self.seed, self.step = count, seed, 0
        self.output = self.router = 0.0
        is_stored = isinstance(states, (str, os.PathLike)) or hasattr(states, "files")
        given = stored_states(snapshot_of(states)) if is_stored else states
        self._layers = [
            _Layer(block, _tensor(given, number, block), name) for number, name, block in _blocks(model)]
        if not self._layers:
            raise BadInput(f"{type(model).__name__} has no blocks with a gate and experts")

    def loss(self, step: int | None = None) -> torch.Tensor:
        """The weighted distance of this step's states; to be added to the loss."""
        self.step = self.step + 1 if step is None else step
        total, output, router = 0, 0.0, 0.0
        for layer in self._layers:
            own_output, own_router = layer.distances(self._draw(len(layer.states)))
            total = total + self.weight * own_output + self.router_weight * own_router
            output += float(own_output.detach())
            router += float(own_router.detach())
        count = len(self._layers)
        self.output, self.router = output / count, router / count
        return total / count

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if getattr(args, "world_size", 1) > 1 or getattr(args, "fp16", False):
            raise BadInput("a hold is for one process, and for bf16 or fp32: fp16 scales losses that it does not see")

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # Gradients are zero here, and are clipped with these among them. A gradient that a frozen part would
        # get goes nowhere.
        loss = self.loss(state.global_step)
        if loss.requires_grad:
            loss.backward()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **_: Any) -> None:
        if logs is not None:
            logs["hold_output"], logs["hold_router"] = self.output, self.router

    def _draw(self, all: int) -> torch.Tensor | slice:
        if all <= self.count:
            return slice(None)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
        return torch.randint(all, (self.count,), generator=generator)


class _Layer:
    """A block of experts, its states, and what it and its router gave for them."""

    def __init__(self, block: torch.nn.Module, states: torch.Tensor, name: str) -> None:
        self.block, self.states, self.name = block, states, name
        mode = block.training
        block.eval()
        with torch.no_grad():
            self.outputs = torch.cat([self._output(part) for part in states.split(1024)])
            self.shares = torch.cat([self._logits(part).log_softmax(-1) for part in states.split(1024)])
        block.train(mode)

    def distances(self, rows: torch.Tensor | slice) -> tuple[torch.Tensor, torch.Tensor]:
        states, old = self.states[rows], self.outputs[rows].float()
        norm = old.square().sum()
        output = (self._output(states).float() - old).square().sum() / norm.clamp(min=1e-30)
        shares = self._logits(states).log_softmax(-1)
        router = F.kl_div(shares, self.shares[rows], log_target=True, reduction="batchmean")
        return output, router

    def _output(self, states: torch.Tensor) -> torch.Tensor:
        out = self.block(states[None])
        return (out[0] if isinstance(out, tuple) else out).reshape(states.shape)

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        return F.linear(states.float(), self.block.gate.weight.float())


def _blocks(model: torch.nn.Module) -> Iterator[tuple[int, str, torch.nn.Module]]:
    """Number, name and module of each block with a router of rows and experts."""
    for name, module in model.named_modules():
        gate, found = getattr(module, "gate", None), _LAYER.search(f".{name}.")
        weight = getattr(gate, "weight", None)
        if found and hasattr(module, "experts") and isinstance(weight, torch.Tensor) and weight.dim() == 2:
            yield int(found[1]), name, module


def _tensor(states: Mapping[int, Any], number: int, block: torch.nn.Module) -> torch.Tensor:
    if number not in states:
        raise NotFound(
            f"there are no states of layer {number} to hold it to; add some of what the model knows: "
            "cambium evidence add --kind states --text FILE")
    weight = block.gate.weight
    found = torch.as_tensor(states[number])
    if found.dim() != 2 or found.shape[1] != weight.shape[1] or not len(found):
        raise BadInput(f"states of layer {number} have the shape {list(found.shape)}, and its width is {weight.shape[1]}")
    return found.to(device=weight.device, dtype=weight.dtype)
