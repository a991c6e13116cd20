"""Tiny checkpoints, made with numpy alone."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

NAMES = {"float32": "F32", "float16": "F16", "uint16": "BF16", "int64": "I64", "uint8": "U8"}


def qwen3_moe(
    *, layers: int = 2, experts: int = 4, hidden: int = 16, inner: int = 8, vocabulary: int = 64,
    seed: int = 1,
) -> tuple[dict[str, np.ndarray], dict]:
    """A Qwen3-MoE: its tensors by their names in a checkpoint, and its config."""
    random = np.random.default_rng(seed)
    heads, head = 2, hidden // 2

    def numbers(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.05).astype(np.float32)

    tensors = {
        "model.embed_tokens.weight": numbers(vocabulary, hidden),
        "model.norm.weight": np.ones(hidden, np.float32),
        "lm_head.weight": numbers(vocabulary, hidden),
    }
    for layer in range(layers):
        start = f"model.layers.{layer}."
        for name in ("q", "k", "v", "o"):
            tensors[f"{start}self_attn.{name}_proj.weight"] = numbers(hidden, hidden)
        for name in ("q_norm", "k_norm"):
            tensors[f"{start}self_attn.{name}.weight"] = np.ones(head, np.float32)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{start}{name}.weight"] = np.ones(hidden, np.float32)
        tensors[f"{start}mlp.gate.weight"] = numbers(experts, hidden)
        for expert in range(experts):
            for name, shape in (("gate", (inner, hidden)), ("up", (inner, hidden)),
                                ("down", (hidden, inner))):
                tensors[f"{start}mlp.experts.{expert}.{name}_proj.weight"] = numbers(*shape)
    config = {
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe",
        "hidden_size": hidden, "intermediate_size": 4 * inner, "moe_intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": heads,
        "head_dim": head, "num_experts": experts, "num_experts_per_tok": 2,
        "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "vocab_size": vocabulary, "max_position_embeddings": 128, "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0, "tie_word_embeddings": False, "attention_bias": False,
        "hidden_act": "silu", "torch_dtype": "float32",
    }
    return tensors, config


def fused(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same with the names and shapes of transformers' live modules."""
    result = {name: one for name, one in tensors.items() if ".experts." not in name}
    layers = {name.split(".experts.")[0] for name in tensors if ".experts." in name}
    for start in sorted(layers):
        numbers = sorted(
            {int(name.split(".experts.")[1].split(".")[0]) for name in tensors
             if name.startswith(start + ".experts.")}
        )

        def each(kind: str) -> list[np.ndarray]:
            return [tensors[f"{start}.experts.{n}.{kind}_proj.weight"] for n in numbers]

        result[f"{start}.experts.gate_up_proj"] = np.stack(
            [np.concatenate(pair) for pair in zip(each("gate"), each("up"))]
        )
        result[f"{start}.experts.down_proj"] = np.stack(each("down"))
    return result


def write_safetensors(
    path: Path, tensors: dict[str, np.ndarray], dtypes: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    """A safetensors file as safetensors writes it; `dtypes` names types that numpy has not."""
    header: dict = {} if metadata is None else {"__metadata__": metadata}
    data = b""
    for name, array in sorted(tensors.items(), key=lambda one: (-one[1].itemsize, one[0])):
        content = np.ascontiguousarray(array).tobytes()
        dtype = (dtypes or {}).get(name) or NAMES[array.dtype.name]
        header[name] = {
            "dtype": dtype, "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_folder(folder: Path, tensors: dict[str, np.ndarray], config: dict) -> Path:
    """A folder as save_pretrained leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / "model.safetensors", tensors, metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    return folder


def raise_format(data: Path) -> None:
    """Gives a store the number of a later format, as a later version would write it."""
    content = bytearray(data.read_bytes())
    at = content.index(b"\x06\x00format\x05\x00\x00\x00") + 8
    content[at] = 99
    # Formats from 4 on have a checksum of the number under another key, which earlier ones had not.
    check = content.index(b"format check")
    content[check : check + 12] = b"format chedk"
    data.write_bytes(content)
