"""Makes random OLMoE models as transformers writes them, without PyTorch: for speed, not for text.

    python3 tools/benchmarks/models_make.py FOLDER [--quick]

FOLDER/fp32-fused, FOLDER/fp32 and FOLDER/bf16 then hold one model: fused and separate experts, and BF16.
"""
import argparse, json, os

import numpy as np

FULL = {"layers": 16, "hidden": 512, "inner": 256, "experts": 64, "top_k": 8, "heads": 8, "vocabulary": 50304}
QUICK = {"layers": 4, "hidden": 128, "inner": 64, "experts": 16, "top_k": 4, "heads": 4, "vocabulary": 1024}


def config(size, narrow):
    return {"architectures": ["OlmoeForCausalLM"], "model_type": "olmoe", "attention_bias": False,
            "clip_qkv": None, "dtype": "bfloat16" if narrow else "float32", "eos_token_id": None,
            "hidden_act": "silu", "hidden_size": size["hidden"], "intermediate_size": size["inner"],
            "max_position_embeddings": 4096, "norm_topk_prob": False, "num_attention_heads": size["heads"],
            "num_experts": size["experts"], "num_experts_per_tok": size["top_k"],
            "num_hidden_layers": size["layers"], "num_key_value_heads": size["heads"], "rms_norm_eps": 1e-5,
            "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
            "tie_word_embeddings": False, "use_cache": True, "vocab_size": size["vocabulary"]}


def tensors(size):
    """(name, array) of the separate form, in the order of the names; the same for the same size."""
    random = np.random.Generator(np.random.PCG64(7))
    hidden, inner = size["hidden"], size["inner"]

    def normal(rows, columns, scale=1.0):
        return random.standard_normal((rows, columns), dtype=np.float32) * np.float32(scale / columns ** 0.5)

    def norm(width): return 1 + random.standard_normal(width, dtype=np.float32) * np.float32(0.1)

    found = {"model.embed_tokens.weight": normal(size["vocabulary"], hidden, hidden ** 0.5),
             "model.norm.weight": norm(hidden), "lm_head.weight": normal(size["vocabulary"], hidden, 3)}
    for layer in range(size["layers"]):
        name = f"model.layers.{layer}"
        for part in ("q", "k", "v", "o"): found[f"{name}.self_attn.{part}_proj.weight"] = normal(hidden, hidden)
        for part in ("self_attn.q_norm", "self_attn.k_norm", "input_layernorm", "post_attention_layernorm"):
            found[f"{name}.{part}.weight"] = norm(hidden)
        found[f"{name}.mlp.gate.weight"] = normal(size["experts"], hidden, 2)
        for expert in range(size["experts"]):
            part = f"{name}.mlp.experts.{expert}"
            found[f"{part}.gate_proj.weight"] = normal(inner, hidden)
            found[f"{part}.up_proj.weight"] = normal(inner, hidden)
            found[f"{part}.down_proj.weight"] = normal(hidden, inner, 4)
    return found


def fused(found, size):
    answer = {name: value for name, value in found.items() if ".experts." not in name}
    for layer in range(size["layers"]):
        name = f"model.layers.{layer}.mlp.experts"
        parts = [[found[f"{name}.{e}.{part}_proj.weight"] for e in range(size["experts"])]
                 for part in ("gate", "up", "down")]
        answer[f"{name}.gate_up_proj"] = np.stack([np.concatenate(pair) for pair in zip(*parts[:2])])
        answer[f"{name}.down_proj"] = np.stack(parts[2])
    return answer


def tokenizer(words):
    """A byte-level tokenizer without merges: the first 256 tokens are bytes, the others are never made of a text."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printed}
    letters.update({byte: chr(256 + place) for place, byte in enumerate(b for b in range(256) if b not in letters)})
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": level, "post_processor": None, "decoder": level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {letters.get(i, f"t{i}"): i for i in range(words)}, "merges": []}}


def halves(value):
    """The upper half of each float, rounded to the nearest, ties to even."""
    bits = value.view(np.uint32)
    return ((bits + 0x7fff + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def write(folder, found, size, narrow):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/config.json", "w") as file: json.dump(config(size, narrow), file, indent=1)
    with open(f"{folder}/tokenizer.json", "w") as file: json.dump(tokenizer(size["vocabulary"]), file)
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name in sorted(found):
        count = found[name].size * (2 if narrow else 4)
        header[name] = {"dtype": "BF16" if narrow else "F32", "shape": list(found[name].shape),
                        "data_offsets": [at, at + count]}
        at += count
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{folder}/model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(found): (halves(found[name]) if narrow else found[name]).tofile(file)


def make(folder, size):
    """Bytes of the parts of the fp32 form, by name."""
    found = tensors(size)
    write(f"{folder}/fp32", found, size, False)
    write(f"{folder}/fp32-fused", fused(found, size), size, False)
    write(f"{folder}/bf16", found, size, True)
    experts = sum(value.nbytes for name, value in found.items() if ".experts." in name)
    return {"all": sum(value.nbytes for value in found.values()), "experts": experts,
            "embedding": found["model.embed_tokens.weight"].nbytes}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    print(json.dumps(make(args.folder, QUICK if args.quick else FULL)))
