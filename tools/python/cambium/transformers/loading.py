"""`from_pretrained` of a store's revision: transformers' own loading, without files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
import transformers

from .. import open as open_store
from ..errors import BadInput, ModelFailure, NotFound
from ..readahead import will_need
from ..torch.live import LiveTensors
from . import mapped

if TYPE_CHECKING:
    from ..snapshot import Snapshot


def snapshot_of(source: str | os.PathLike[str] | Snapshot) -> Snapshot:
    """The snapshot that "STORE@REVISION" names; "STORE" is its HEAD.

    Raises NotAStore, NotFound.
    """
    if not isinstance(source, (str, os.PathLike)):
        return source
    path, revision = os.fspath(source), "HEAD"
    if "@" in os.path.basename(path) and not os.path.isdir(path):
        path, revision = path.rsplit("@", 1)
    with open_store(path) as store:
        return store[revision]


def from_pretrained(
    source: str | os.PathLike[str] | Snapshot, *, experts: str | None = None,
    model_class: type | None = None, config: Any = None, dtype: Any = "auto", copy: bool = True,
    **options: Any,
) -> Any:
    """A transformers model of a store's revision, in evaluation mode like theirs.

    `source`: "STORE@REVISION" or a snapshot. No file is written; each weight is copied once from
    the map. `experts="mapped"` leaves the experts in the map: their pages are read when a token
    picks them, shared with every other model of the store that has them, and given back when memory
    is short, so that the model may be larger than it. They are not trained and not in
    `state_dict()`; the rest is trained as usual.

    - `model_class`: else the class that config.json names.
    - `config`: else config.json's.
    - `dtype`: "auto" is that of config.json, or of the tensors; mapped experts stay as stored.
    - `copy=False` leaves the other weights in the map too, frozen: writing to them would end the
      process.
    - `options` go to the class's `from_pretrained`.

    Raises NotFound, ModelFailure ("unsupported" for experts that cannot be mapped).
    """
    if experts not in (None, "mapped"):
        raise BadInput(f"experts={experts!r} is neither None nor 'mapped'", "usage")
    snapshot = snapshot_of(source).with_framework("pt")
    config = config if config is not None else config_of(snapshot)
    if dtype == "auto":
        dtype = getattr(config, "dtype", None) or _dtype(snapshot)
    weights = _Weights(snapshot)
    if experts:
        options["experts_implementation"] = mapped.NAME
        weights.placeholders = mapped.placeholders(LiveTensors(snapshot))
    chosen = model_class or class_of(config)
    model = chosen.from_pretrained(
        None, config=config, state_dict=weights, dtype=dtype, **options
    )
    model, report = model if isinstance(model, tuple) else (model, None)
    if experts:
        mapped.attach(model, snapshot)
    for parameter in (*model.parameters(), *model.buffers()):
        if parameter.untyped_storage().data_ptr() in weights.addresses:
            if copy:
                parameter.data = parameter.data.clone()
            else:
                parameter.requires_grad_(False)
    if "generation_config.json" in snapshot.files and model.can_generate():
        import json

        told = json.loads(snapshot.file("generation_config.json"))
        model.generation_config = transformers.GenerationConfig.from_dict(told)
    return model if report is None else (model, report)


def config_of(snapshot: Snapshot) -> Any:
    """transformers' configuration of a snapshot.

    Raises NotFound without config.json, ModelFailure for a model type that transformers lacks.
    """
    told = dict(snapshot.config)
    if not told:
        raise NotFound(f"{snapshot.id[:12]} has no config.json; give config=")
    kind = told.get("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise ModelFailure(
            f"transformers {transformers.__version__} has no model of type {kind!r}", "unsupported"
        )
    return transformers.CONFIG_MAPPING[kind].from_dict(told)


def class_of(config: Any) -> type:
    """The class that a configuration names, else its causal language model."""
    for name in config.architectures or ():
        if found := getattr(transformers, name, None):
            return found
    if (found := transformers.MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)) is not None:
        return found
    raise ModelFailure(
        f"config.json names no class of transformers ({config.architectures}); give model_class=",
        "unsupported",
    )


def _dtype(snapshot: Snapshot) -> torch.dtype:
    for name in snapshot:
        if snapshot.info(name).dtype in ("BF16", "F16", "F32", "F64"):
            return snapshot[name][:0].dtype if snapshot.info(name).shape else torch.float32
    return torch.float32


class _Weight:
    """A lazy tensor as transformers asks for one; notes where the map was handed out."""

    __slots__ = ("tensor", "addresses")

    def __init__(self, tensor: Any, addresses: set[int]) -> None:
        self.tensor = tensor
        self.addresses = addresses

    def __getitem__(self, index: Any) -> torch.Tensor:
        found = self.tensor[index]
        will_need(found)
        self.addresses.add(found.untyped_storage().data_ptr())
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """Outermost dimension first."""
        return self.tensor.shape

    def get_shape(self) -> list[int]:
        """The shape, as safetensors' slices tell it."""
        return list(self.tensor.shape)

    def get_dtype(self) -> str:
        """The dtype, as safetensors' slices tell it."""
        return self.tensor.dtype


class _Weights(Mapping[str, Any]):
    """A snapshot as a state dict; `placeholders` stand for the tensors that they replace."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.addresses: set[int] = set()
        self.placeholders: dict[str, tuple[torch.Tensor, list[str]]] = {}

    def __getitem__(self, name: str) -> Any:
        if name in self.placeholders:
            return self.placeholders[name][0]
        return _Weight(self.snapshot[name], self.addresses)

    def __iter__(self) -> Iterator[str]:
        replaced = {part for _, parts in self.placeholders.values() for part in parts}
        yield from (name for name in self.snapshot if name not in replaced)
        yield from (name for name in self.placeholders if name not in self.snapshot)

    def __len__(self) -> int:
        return sum(1 for _ in self)
