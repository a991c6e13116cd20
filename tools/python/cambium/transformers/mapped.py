"""Experts that stay in the store's map: an experts implementation of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch.nn import functional as F

from .. import dtypes
from ..errors import ModelFailure

if TYPE_CHECKING:
    from ..experts import Experts
    from ..snapshot import Snapshot
    from ..torch.live import LiveTensors

NAME = "cambium"
"""What `experts_implementation` is called."""
_GATED = (("gate_proj", "up_proj", "down_proj"), ("w1", "w3", "w2"))


def placeholders(live: LiveTensors) -> dict[str, tuple[torch.Tensor, list[str]]]:
    """For each stacked tensor of the live model a zero of its shape that takes four bytes, and the
    names of the checkpoint that it stands for.

    Raises ModelFailure where there is none.
    """
    ends = (".experts.gate_up_proj", ".experts.down_proj")
    names = [name for name in live if name.endswith(ends)]
    if not names:
        raise ModelFailure(
            "the model has no experts of gate, up and down projections, which alone can be mapped",
            "unsupported",
        )
    return {
        name: (
            torch.zeros((), dtype=dtypes.torch_type(live[name].dtype)).expand(live[name].shape),
            live.parts_of(name),
        )
        for name in names
    }


def attach(model: torch.nn.Module, snapshot: Snapshot) -> None:
    """Gives each layer's experts module the views of its experts, in place of the placeholders.

    Raises ModelFailure for experts that transformers runs in another way.
    """
    for name, module in model.named_modules():
        if not name.endswith(".experts") or "gate_up_proj" not in module._parameters:
            continue
        unlike = module.is_transposed or module.has_bias or not module.has_gate
        if unlike or not module.is_concatenated or module.has_post_expert_norm:
            raise ModelFailure(f"the experts of {name} cannot be mapped", "unsupported")
        layer = int(next(part for part in name.split(".") if part.isdigit()))
        module.cambium_experts = MappedExperts(snapshot.experts(layer))
        # Placeholders would be written out, moved and cast at their full size.
        del module.gate_up_proj, module.down_proj
    model.save_pretrained = _not_saved


def _not_saved(*_: Any, **__: Any) -> NoReturn:
    raise ModelFailure(
        "a model with mapped experts does not have them to save; use the snapshot's "
        "save_pretrained, or load it with experts=None",
        "unsupported",
    )


class MappedExperts:
    """The weights of a layer's experts as views of the map, made when they are first asked for."""

    def __init__(self, experts: Experts) -> None:
        parts = {part.name: part for part in experts.parts}
        names = next((names for names in _GATED if set(names) == set(parts)), None)
        if names is None:
            raise ModelFailure(f"{experts!r} cannot be mapped", "unsupported")
        gate, up, self._down = (parts[name] for name in names)
        alike = (gate.dtype, gate.shape) == (up.dtype, up.shape)
        if not alike or up.offset != gate.offset + gate.nbytes:
            raise ModelFailure(f"{experts!r} has no gate and up side by side", "unsupported")
        self.experts = experts
        self._gate = gate
        self._views: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __len__(self) -> int:
        return len(self.experts)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """gate and up [2·intermediate, hidden], down [hidden, intermediate]; not to be written."""
        found = self._views.get(number)
        if found is not None:
            return found
        gate, down = self._gate, self._down
        memory = self.experts[number]._read()
        shape = (2 * gate.shape[0], *gate.shape[1:])
        views = (
            memory.part(gate.offset, 2 * gate.nbytes, gate.dtype, shape).tensor(),
            memory.part(down.offset, down.nbytes, down.dtype, down.shape).tensor(),
        )
        if memory.mapped:
            self._views[number] = views
        return views

    def __deepcopy__(self, memo: dict[int, Any]) -> MappedExperts:
        return MappedExperts(self.experts)

    def __reduce__(self):
        return MappedExperts, (self.experts,)


def cambium_experts(
    self: Any, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    """The experts' answer, [tokens, hidden], for hidden_states [tokens, hidden], and the experts
    that each token picked, top_k_index and top_k_weights [tokens, picks].

    The same operations in the same order as transformers' own "eager", so the same bits. Weights of
    another dtype or device than the hidden states are converted expert by expert.
    """
    weights: MappedExperts = self.cambium_experts
    result = torch.zeros_like(hidden_states)
    for number in top_k_index.unique().tolist():
        if number >= len(weights):
            continue  # an expert of another rank
        pick, token = torch.where(top_k_index.T == number)
        gate_up, down = (
            view.to(hidden_states.device, hidden_states.dtype) for view in weights[number]
        )
        inner = self._apply_gate(F.linear(hidden_states[token], gate_up))
        answer = F.linear(inner, down) * top_k_weights[token, pick, None]
        result.index_add_(0, token, answer.to(result.dtype))
    return result


def _register() -> None:
    from transformers.integrations.moe import ExpertsInterface

    ExpertsInterface.register(NAME, cambium_experts)


_register()
