"""Random models of the exact shapes of published ones, in shards as they are published: for speed, not for text.

A model is a generator of (name, dtype, shape, kind); a kind says which bytes do: weights of about unit rows, ones for
norms, codes, and the scales of codes.
"""
import json, os

import numpy as np

SHARD = 4 << 30
WIDTHS = {"BF16": 2, "F32": 4, "U8": 1, "I32": 4, "I64": 8}


def norms(names, width):
    for name in names: yield name, "BF16", (width,), "ones"


def olmoe(quick):
    """OLMoE-1B-7B: 13.8 GB in BF16."""
    hidden, inner, experts = 2048, 1024, 64
    layers, words = (2, 1024) if quick else (16, 50304)
    config = {"architectures": ["OlmoeForCausalLM"], "model_type": "olmoe", "attention_bias": False, "clip_qkv": None,
              "dtype": "bfloat16", "eos_token_id": None, "hidden_act": "silu", "hidden_size": hidden,
              "intermediate_size": inner, "max_position_embeddings": 4096, "norm_topk_prob": False,
              "num_attention_heads": 16, "num_experts": experts, "num_experts_per_tok": 8, "num_hidden_layers": layers,
              "num_key_value_heads": 16, "rms_norm_eps": 1e-5,
              "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}, "tie_word_embeddings": False,
              "use_cache": True, "vocab_size": words}

    def tensors():
        yield "model.embed_tokens.weight", "BF16", (words, hidden), "weights"
        for layer in range(layers):
            name = f"model.layers.{layer}"
            for part in "qkvo": yield f"{name}.self_attn.{part}_proj.weight", "BF16", (hidden, hidden), "weights"
            yield from norms([f"{name}.self_attn.q_norm.weight", f"{name}.self_attn.k_norm.weight",
                              f"{name}.input_layernorm.weight", f"{name}.post_attention_layernorm.weight"], hidden)
            yield f"{name}.mlp.gate.weight", "BF16", (experts, hidden), "weights"
            for expert in range(experts):
                for part in ("gate", "up", "down"):
                    shape = (hidden, inner) if part == "down" else (inner, hidden)
                    yield f"{name}.mlp.experts.{expert}.{part}_proj.weight", "BF16", shape, "weights"
        yield from norms(["model.norm.weight"], hidden)
        yield "lm_head.weight", "BF16", (words, hidden), "weights"

    return config, tensors


def gpt_oss(quick):
    """GPT-OSS-20B: 13 GB, its experts in MXFP4."""
    hidden, inner, experts, heads, keys, size = 2880, 2880, 32, 64, 8, 64
    layers, words = (2, 1024) if quick else (24, 201088)
    config = {"architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "attention_bias": True, "head_dim": size,
              "attention_dropout": 0.0, "dtype": "bfloat16", "eos_token_id": None, "hidden_act": "silu",
              "hidden_size": hidden, "intermediate_size": inner,
              "layer_types": ["sliding_attention", "full_attention"] * (layers // 2), "max_position_embeddings": 131072,
              "num_attention_heads": heads, "num_experts_per_tok": 4, "num_hidden_layers": layers,
              "num_key_value_heads": keys, "num_local_experts": experts, "rms_norm_eps": 1e-5,
              "rope_parameters": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0, "rope_theta": 150000.0,
                                  "original_max_position_embeddings": 4096, "rope_type": "yarn", "truncate": False},
              "sliding_window": 128, "swiglu_alpha": 1.702, "swiglu_limit": 7.0, "tie_word_embeddings": False,
              "vocab_size": words,
              "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": [
                  "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]}}

    def tensors():
        yield "model.embed_tokens.weight", "BF16", (words, hidden), "weights"
        for layer in range(layers):
            name = f"model.layers.{layer}"
            for part, count in (("q", heads), ("k", keys), ("v", keys)):
                yield f"{name}.self_attn.{part}_proj.weight", "BF16", (count * size, hidden), "weights"
                yield f"{name}.self_attn.{part}_proj.bias", "BF16", (count * size,), "weights"
            yield f"{name}.self_attn.o_proj.weight", "BF16", (hidden, heads * size), "weights"
            yield f"{name}.self_attn.o_proj.bias", "BF16", (hidden,), "weights"
            yield f"{name}.self_attn.sinks", "BF16", (heads,), "weights"
            yield from norms([f"{name}.input_layernorm.weight", f"{name}.post_attention_layernorm.weight"], hidden)
            yield f"{name}.mlp.router.weight", "BF16", (experts, hidden), "weights"
            yield f"{name}.mlp.router.bias", "BF16", (experts,), "weights"
            for part, rows, columns in (("gate_up", 2 * inner, hidden), ("down", hidden, inner)):
                part = f"{name}.mlp.experts.{part}_proj"
                yield f"{part}_blocks", "U8", (experts, rows, columns // 32, 16), "codes"
                yield f"{part}_scales", "U8", (experts, rows, columns // 32), "exponents"
                yield f"{part}_bias", "BF16", (experts, rows), "weights"
        yield from norms(["model.norm.weight"], hidden)
        yield "lm_head.weight", "BF16", (words, hidden), "weights"

    return config, tensors


def qwen3(quick):
    """Qwen3-30B-A3B: 17 GB, its experts in groups of 128 of 4 bits (compressed-tensors)."""
    hidden, inner, experts, heads, keys, size = 2048, 768, 128, 32, 4, 128
    layers, words = (2, 1024) if quick else (48, 151936)
    config = {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "attention_bias": False,
              "attention_dropout": 0.0, "decoder_sparse_step": 1, "dtype": "bfloat16", "eos_token_id": None,
              "head_dim": size, "hidden_act": "silu", "hidden_size": hidden, "intermediate_size": 6144,
              "max_position_embeddings": 40960, "mlp_only_layers": [], "moe_intermediate_size": inner,
              "norm_topk_prob": True, "num_attention_heads": heads, "num_experts": experts, "num_experts_per_tok": 8,
              "num_hidden_layers": layers, "num_key_value_heads": keys, "rms_norm_eps": 1e-6,
              "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}, "sliding_window": None,
              "tie_word_embeddings": False, "use_sliding_window": False, "vocab_size": words,
              "quantization_config": {
                  "quant_method": "compressed-tensors", "format": "pack-quantized", "kv_cache_scheme": None,
                  "ignore": ["lm_head", "re:.*mlp.gate$", "re:.*self_attn.*"], "config_groups": {"group_0": {
                      "targets": ["Linear"], "input_activations": None, "output_activations": None,
                      "weights": {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group",
                                  "group_size": 128, "actorder": None, "dynamic": False}}}}}

    def coded(name, rows, columns):
        yield f"{name}.weight_packed", "I32", (rows, columns // 8), "codes"
        yield f"{name}.weight_scale", "BF16", (rows, columns // 128), "scales"
        yield f"{name}.weight_shape", "I64", (2,), (rows, columns)

    def tensors():
        yield "model.embed_tokens.weight", "BF16", (words, hidden), "weights"
        for layer in range(layers):
            name = f"model.layers.{layer}"
            for part, rows in (("q", heads), ("k", keys), ("v", keys)):
                yield f"{name}.self_attn.{part}_proj.weight", "BF16", (rows * size, hidden), "weights"
            yield f"{name}.self_attn.o_proj.weight", "BF16", (hidden, heads * size), "weights"
            yield from norms([f"{name}.self_attn.q_norm.weight", f"{name}.self_attn.k_norm.weight"], size)
            yield from norms([f"{name}.input_layernorm.weight", f"{name}.post_attention_layernorm.weight"], hidden)
            yield f"{name}.mlp.gate.weight", "BF16", (experts, hidden), "weights"
            for expert in range(experts):
                for part in ("gate", "up", "down"):
                    shape = (hidden, inner) if part == "down" else (inner, hidden)
                    yield from coded(f"{name}.mlp.experts.{expert}.{part}_proj", *shape)
        yield from norms(["model.norm.weight"], hidden)
        yield "lm_head.weight", "BF16", (words, hidden), "weights"

    return config, tensors


MODELS = {"olmoe": olmoe, "gpt-oss": gpt_oss, "qwen3": qwen3}


def content(random, dtype, shape, kind):
    count = int(np.prod(shape))
    if isinstance(kind, tuple): return np.array(kind, dtype="<i8").tobytes()
    if kind == "ones": return np.full(count, 0x3f80, dtype="<u2").tobytes()
    data = random.bytes(count * WIDTHS[dtype])
    if kind == "codes": return data
    if kind == "exponents": return (np.frombuffer(data, np.uint8) % 4 + 118).astype(np.uint8).tobytes()
    # A sign and a fraction by chance, of sizes in three powers of 2: about 1 / 32, scales a fourth of that.
    bits = np.frombuffer(data, "<u2")
    exponents = (bits >> 8) % 3 + (120 if kind == "weights" else 117)
    signs = 0x807f if kind == "weights" else 0x7f
    return ((bits & signs) | exponents << 7).astype("<u2").tobytes()


def shards(tensors):
    """The tensors of each shard, whose bytes are SHARD at most."""
    found, size = [[]], 0
    for tensor in tensors:
        width = int(np.prod(tensor[2])) * WIDTHS[tensor[1]]
        if size + width > SHARD and found[-1]:
            found.append([])
            size = 0
        found[-1].append(tensor)
        size += width
    return found


def write(path, tensors, random):
    """A safetensors file of (name, dtype, shape, kind); the bytes of its tensors."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, dtype, shape, _ in tensors:
        width = int(np.prod(shape)) * WIDTHS[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + width]}
        at += width
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, dtype, shape, kind in tensors: file.write(content(random, dtype, shape, kind))
    return at


def make(folder, name, quick=False):
    """Writes a model; the bytes of its tensors."""
    config, tensors = MODELS[name](quick)
    os.makedirs(folder)
    with open(f"{folder}/config.json", "w") as file: json.dump(config, file, indent=1)
    random, places, total = np.random.Generator(np.random.PCG64(11)), {}, 0
    parts = shards(tensors())
    for number, part in enumerate(parts):
        title = f"model-{number + 1:05}-of-{len(parts):05}.safetensors"
        total += write(f"{folder}/{title}", part, random)
        places.update((tensor[0], title) for tensor in part)
    with open(f"{folder}/model.safetensors.index.json", "w") as file:
        json.dump({"metadata": {"total_size": total}, "weight_map": places}, file)
    return total


def patch(path, name, expert, quick=False):
    """Writes other weights of one expert of layer 1 alone, as `commit --patch` takes them; their bytes."""
    _, tensors = MODELS[name](quick)
    found = []
    for tensor, dtype, shape, kind in tensors():
        if tensor.startswith(f"model.layers.1.mlp.experts.{expert}."): found.append((tensor, dtype, shape, kind))
        elif tensor.startswith("model.layers.1.mlp.experts."):
            if ".experts.down_proj" in tensor or ".experts.gate_up_proj" in tensor:
                found += [(tensor, dtype, (1, *shape[1:]), kind), (f"{tensor}.rows", "I64", (1,), (expert,))]
    return write(path, found, np.random.Generator(np.random.PCG64(12 + expert)))
