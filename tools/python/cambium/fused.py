"""Experts as transformers' live modules name them, and as checkpoints do.

A module of transformers 5 has `experts.gate_up_proj` [E, 2I, H] and `experts.down_proj` [E, H, I];
what `save_pretrained` writes, and what most published checkpoints have, is one tensor for each
expert and matrix. Commits take both and store what `save_pretrained` would write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .errors import BadInput
from .given import Given

# The folder of experts and the names of gate, up and down, by `model_type`, as in
# transformers 5.24 `conversion_mapping.py`.
_PROJECTIONS = ("mlp.experts", "gate_proj", "up_proj", "down_proj")
_MIXTRAL = ("block_sparse_moe.experts", "w1", "w3", "w2")
_FORMS = {
    **dict.fromkeys(
        (
            "afmoe", "beam", "cohere2_moe", "deepseek_v2", "deepseek_v3", "deepseek_v32", "dots1",
            "ernie4_5_moe", "exaone_moe", "flex_olmo", "glm4_moe", "glm4_moe_lite", "glm4v_moe",
            "glm_moe_dsa", "hunyuan_v1_moe", "longcat_flash", "mellum", "olmoe", "qwen2_moe",
            "qwen3_moe", "qwen3_next", "qwen3_omni_moe", "qwen3_omni_moe_text",
            "qwen3_omni_moe_thinker", "sarvam_mla", "solar_open",
        ),
        _PROJECTIONS,
    ),
    "mixtral": _MIXTRAL,
    "minimax": _MIXTRAL,
    "minimax_m2": _MIXTRAL,
}
_FUSED = re.compile(r"(.*\.)?mlp\.experts\.(gate_up_proj|down_proj)")


def per_expert(
    tensors: Mapping[str, Given], model_type: str | None, names: Callable[[], set[str]]
) -> dict[str, Given]:
    """The tensors with every expert's own; in place, nothing is copied.

    `names`: those of the branch's model, which decide for a `model_type` that is not known here.
    """
    if not any(_FUSED.fullmatch(name) for name in tensors):
        return dict(tensors)
    form = _FORMS.get(model_type or "")
    if form is None:
        known = names()
        if not any(re.search(r"mlp\.experts\.\d+\.gate_proj\.weight$", name) for name in known):
            return dict(tensors)
        form = _PROJECTIONS
    folder, gate, up, down = form
    result: dict[str, Given] = {}
    for name, tensor in tensors.items():
        match = _FUSED.fullmatch(name)
        if match is None:
            # The router lies beside the experts.
            if folder != "mlp.experts":
                name = re.sub(r"\.mlp\.gate\.", f".{folder.split('.')[0]}.gate.", name)
            result[name] = tensor
            continue
        start = f"{match[1] or ''}{folder}."
        if len(tensor.shape) != 3 or (match[2] == "gate_up_proj" and tensor.shape[1] % 2):
            raise BadInput(
                f"'{name}' is {list(tensor.shape)}; stacked experts are [experts, rows, columns]",
                "bad-shape",
            )
        count, rows, columns = tensor.shape
        each = tensor.nbytes // count if count else 0
        for expert in range(count):
            if match[2] == "down_proj":
                result[f"{start}{expert}.{down}.weight"] = tensor.part(
                    expert * each, (rows, columns)
                )
                continue
            half = (rows // 2, columns)
            for which, part in enumerate((gate, up)):
                result[f"{start}{expert}.{part}.weight"] = tensor.part(
                    expert * each + which * (each // 2), half
                )
    return result
