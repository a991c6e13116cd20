"""The guide's module of hashed rows gives the logits of the engine, in a model of PyTorch."""

from __future__ import annotations

import checkpoints
import guide
import numpy as np
import pytest
import torch
from torch.nn.functional import embedding, linear, scaled_dot_product_attention, silu

import cambium

WIDTH, HEADS, LAYERS, ORDERS, SIZE = 16, 2, 2, [1, 2, 3, 8], 64
CONFIG = {
    "architecture": "peer-lm", "vocab_size": 256, "hidden_size": WIDTH, "num_layers": LAYERS,
    "num_heads": HEADS, "context_length": 64, "ffn_size": 24, "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "peer_layers": [],
    "hash": {"layers": [0], "orders": ORDERS, "table_size": SIZE},
}
TEXT = b"hashed rows: \xff\x80 the last bytes of a text"


def model(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(2)

    def numbers(*shape: int) -> np.ndarray:
        return random.uniform(-0.5, 0.5, shape).astype(np.float32)

    outer = ("model.embed_tokens.weight", "lm_head.weight")
    tensors = {name: numbers(256, WIDTH) for name in outer}
    tensors["model.norm.weight"] = 1 + numbers(WIDTH)
    for layer in range(LAYERS):
        start = f"model.layers.{layer}."
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{start}{name}.weight"] = 1 + numbers(WIDTH)
        for name in "qkvo":
            tensors[f"{start}self_attn.{name}_proj.weight"] = numbers(WIDTH, WIDTH)
        for name, shape in (("gate", (24, WIDTH)), ("up", (24, WIDTH)), ("down", (WIDTH, 24))):
            tensors[f"{start}mlp.{name}_proj.weight"] = numbers(*shape)
    return tensors | {f"model.layers.0.hash.rows{name}": one for name, one in rows.items()}


def table(kind: str) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    count = len(ORDERS) * SIZE
    rows = random.uniform(-1, 1, (count, WIDTH)).astype(np.float32)
    rows[::7] = 0
    if kind == "F32":
        return {"": rows}
    scale = random.uniform(0.01, 0.1, count).astype(np.float32)
    codes = random.integers(-1, 2, (count, WIDTH))
    if kind == "I8":
        return {"": codes.astype(np.int8), ".scale": scale}
    bits = int(kind)
    packed = np.zeros((count, WIDTH * bits // 8), np.uint8)
    for index in range(WIDTH):
        packed[:, index * bits // 8] |= (
            (codes[:, index] & (1 << bits) - 1) << index * bits % 8).astype(np.uint8)
    return {"": packed, ".scale": scale}


def logits(tensors: dict[str, np.ndarray], rows: torch.nn.Module) -> np.ndarray:
    """A peer-lm without other experts."""
    weights = {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in tensors.items()}
    tokens = torch.tensor([list(TEXT)])
    size = WIDTH // HEADS
    speeds = 10000.0 ** -(torch.arange(0, size, 2) / size)
    angles = torch.outer(torch.arange(len(TEXT)).float(), speeds)
    cosine, sine = angles.cos(), angles.sin()

    def norm(name, state):
        return state * (state.pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt() * weights[name]

    def turned(state):
        first, second = state.chunk(2, -1)
        return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)

    state = embedding(tokens, weights["model.embed_tokens.weight"]) + rows(tokens)
    for layer in range(LAYERS):
        start = f"model.layers.{layer}."
        inputs = norm(start + "input_layernorm.weight", state)
        heads = [
            linear(inputs, weights[f"{start}self_attn.{name}_proj.weight"])
            .unflatten(-1, (HEADS, -1)).transpose(1, 2) for name in "qkv"
        ]
        query, key, value = turned(heads[0]), turned(heads[1]), heads[2]
        read = scaled_dot_product_attention(query, key, value, is_causal=True)
        state = state + linear(
            read.transpose(1, 2).flatten(-2), weights[start + "self_attn.o_proj.weight"])
        inputs = norm(start + "post_attention_layernorm.weight", state)
        gate, up = (
            linear(inputs, weights[f"{start}mlp.{name}_proj.weight"]) for name in ("gate", "up"))
        state = state + linear(silu(gate) * up, weights[f"{start}mlp.down_proj.weight"])
    return linear(norm("model.norm.weight", state), weights["lm_head.weight"])[0].detach().numpy()


@pytest.mark.parametrize("kind", ["F32", "I8", "4", "2"])
def test_the_guides_hashed_rows_give_the_engines_logits(tmp_path, kind):
    tensors = model(table(kind))
    checkpoints.NAMES["int8"] = "I8"
    checkpoints.write_folder(tmp_path / "in", tensors, CONFIG)
    store = cambium.init(tmp_path / "S")
    store.commit(tmp_path / "in", message="hashed")
    names: dict = {}
    assert guide.run("docs/python.md", ("python hashed",), names) == 1
    snapshot = store["main"]
    module = names["hashed_rows"](snapshot)
    with store.engine("main") as engine:
        found = engine.logits(list(TEXT))
    np.testing.assert_allclose(logits(tensors, module), found, atol=2e-4)
    # Gradients come to the rows that a text picked, and to no others.
    module(torch.tensor([list(TEXT)])).sum().backward()
    touched = module.table.weight.grad.abs().sum(1).count_nonzero()
    assert 0 < touched <= len(TEXT) * len(ORDERS)
