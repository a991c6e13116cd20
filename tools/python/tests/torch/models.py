"""Tiny models of transformers."""

from __future__ import annotations

import torch
import transformers

_COMMON = dict(
    vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=4, num_experts_per_tok=2, max_position_embeddings=64,
    bos_token_id=0, eos_token_id=0, pad_token_id=0,
)
_CONFIGS = {
    "Qwen3Moe": dict(
        num_key_value_heads=2, head_dim=8, num_experts=8, moe_intermediate_size=16),
    "Olmoe": dict(num_key_value_heads=4, num_experts=8, intermediate_size=16),
    "Mixtral": dict(num_key_value_heads=2, num_local_experts=8, intermediate_size=16),
    "DeepseekV3": dict(
        num_key_value_heads=4, n_routed_experts=8, moe_intermediate_size=16, n_group=2,
        topk_group=1, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8,
        v_head_dim=8, first_k_dense_replace=1),
}
FAMILIES = tuple(_CONFIGS)


def tiny(family: str = "Qwen3Moe", dtype: torch.dtype = torch.float32, seed: int = 1, **more):
    """A random model that has been saved nowhere."""
    config = getattr(transformers, family + "Config")(**{**_COMMON, **_CONFIGS[family], **more})
    config.architectures = [family + "ForCausalLM"]
    config.dtype = dtype
    # Which of transformers' ways to run experts is taken changes the last bits.
    config._experts_implementation = "eager"
    torch.manual_seed(seed)
    model = getattr(transformers, family + "ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.1)
            parameter.data = parameter.data.to(dtype)
    return model


def tokens(seed: int = 0, length: int = 7):
    """[2, length] token numbers."""
    return torch.randint(1, 64, (2, length), generator=torch.Generator().manual_seed(seed))


def logits(model) -> torch.Tensor:
    """Of `tokens()`, by the experts' eager implementation unless they are mapped."""
    if model.config._experts_implementation != "cambium":
        model.config._experts_implementation = "eager"
    with torch.no_grad():
        return model(tokens()).logits


def same(left, right) -> bool:
    """Whether two state dicts are equal bit for bit."""
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) for name in left)
