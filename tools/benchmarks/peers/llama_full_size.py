"""GGUF files of the shapes and forms of full_size_make.py, with other random weights of the same sizes.

    llama_full_size.py NAME FILE [quick]
"""
import os, sys

import gguf
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from targets.full_size_make import MODELS, content

TYPES = gguf.GGMLQuantizationType
# Of one block of 32: bytes in front of its 16 bytes of codes.
SCALES = {TYPES.Q4_0: 2, TYPES.MXFP4: 1}


def described(name, config):
    """A writer that knows all but the tensors."""
    inner = config.get("moe_intermediate_size") or config["intermediate_size"]
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    writer = gguf.GGUFWriter(None, {"olmoe": "olmoe", "qwen3": "qwen3moe", "gpt-oss": "gpt-oss"}[name])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(hidden)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_expert_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config.get("head_dim", hidden // heads))
    writer.add_value_length(config.get("head_dim", hidden // heads))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    rope = config["rope_parameters"]
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if config.get("sliding_window"): writer.add_sliding_window(config["sliding_window"])
    writer.add_expert_count(config.get("num_local_experts") or config["num_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    words = config["vocab_size"]
    writer.add_vocab_size(words)
    # Words that nobody reads: the texts are token ids.
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"t{i}".encode() for i in range(words)])
    writer.add_token_types([1] * words)
    writer.add_token_merges(["t0 t1"])
    writer.add_add_bos_token(False)
    return writer


def tensors(name, config):
    """(name, type, shape, kind) of each tensor, in the order of the file; a kind is one of full_size_make's."""
    hidden, words, heads = config["hidden_size"], config["vocab_size"], config["num_attention_heads"]
    size, keys = config.get("head_dim", hidden // heads), config["num_key_value_heads"]
    inner = config.get("moe_intermediate_size") or config["intermediate_size"]
    experts = config.get("num_local_experts") or config["num_experts"]
    form = {"olmoe": TYPES.BF16, "qwen3": TYPES.Q4_0, "gpt-oss": TYPES.MXFP4}[name]
    biased = name == "gpt-oss"
    yield "token_embd.weight", TYPES.BF16, (words, hidden), "weights"
    yield "output_norm.weight", TYPES.F32, (hidden,), "ones"
    yield "output.weight", TYPES.BF16, (words, hidden), "weights"
    for layer in range(config["num_hidden_layers"]):
        block = f"blk.{layer}"
        for part, rows, columns in (("q", heads * size, hidden), ("k", keys * size, hidden), ("v", keys * size, hidden),
                                    ("output", hidden, heads * size)):
            yield f"{block}.attn_{part}.weight", TYPES.BF16, (rows, columns), "weights"
            if biased: yield f"{block}.attn_{part}.bias", TYPES.F32, (rows,), "weights"
        if biased: yield f"{block}.attn_sinks.weight", TYPES.F32, (heads,), "weights"
        else:
            of_all = name == "olmoe"
            yield f"{block}.attn_q_norm.weight", TYPES.F32, (heads * size if of_all else size,), "ones"
            yield f"{block}.attn_k_norm.weight", TYPES.F32, (keys * size if of_all else size,), "ones"
        yield f"{block}.attn_norm.weight", TYPES.F32, (hidden,), "ones"
        yield f"{block}.{'post_attention_norm' if biased else 'ffn_norm'}.weight", TYPES.F32, (hidden,), "ones"
        yield f"{block}.ffn_gate_inp.weight", TYPES.F32, (experts, hidden), "weights"
        if biased: yield f"{block}.ffn_gate_inp.bias", TYPES.F32, (experts,), "weights"
        for part in ("gate", "up", "down"):
            rows, columns = (hidden, inner) if part == "down" else (inner, hidden)
            yield f"{block}.ffn_{part}_exps.weight", form, (experts, rows, columns), "weights"
            if biased: yield f"{block}.ffn_{part}_exps.bias", TYPES.F32, (experts, rows), "weights"


def stored(form, shape):
    """The shape of the bytes, or of the numbers, of a tensor."""
    return (*shape[:-1], shape[-1] // 32 * (16 + SCALES[form])) if form in SCALES else shape


def values(random, form, shape, kind):
    if form in SCALES:
        blocks = np.frombuffer(random.bytes(int(np.prod(stored(form, shape)))), np.uint8).reshape(-1, 16 + SCALES[form])
        blocks = blocks.copy()
        if form == TYPES.MXFP4: blocks[:, 0] = blocks[:, 0] % 4 + 118
        else: blocks[:, :2] = np.frombuffer((0.01 * (1 + blocks[:, 0] % 4)).astype("<f2").tobytes(), np.uint8).reshape(-1, 2)
        return blocks.reshape(stored(form, shape))
    bits = np.frombuffer(content(random, "BF16", shape, kind), "<u2").reshape(shape)
    return bits if form == TYPES.BF16 else (bits.astype("<u4") << 16).view("<f4")


def write(name, path, quick=False):
    config, _ = MODELS[name](quick)
    writer, found = described(name, config), list(tensors(name, config))
    for title, form, shape, _ in found:
        kept = stored(form, shape)
        dtype = np.dtype(np.uint8 if form in SCALES else np.uint16 if form == TYPES.BF16 else np.float32)
        writer.add_tensor_info(title, kept, dtype, int(np.prod(kept)) * dtype.itemsize, form)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    random = np.random.Generator(np.random.PCG64(12))
    for _, form, shape, kind in found: writer.write_tensor_data(values(random, form, shape, kind))
    writer.close()


if __name__ == "__main__": write(sys.argv[1], sys.argv[2], len(sys.argv) > 3)
