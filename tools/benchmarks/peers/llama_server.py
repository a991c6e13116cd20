"""llama.cpp's server with a random OLMoE model, until standard input ends.

    llama_server.py FOLDER GGUF THREADS SLOTS

FOLDER holds the model as transformers writes it, experts apart, and its tokenizer.json; GGUF is made of it when it is not there.
"""
import json, os, sys

import numpy as np

FOLDER, PATH, THREADS, SLOTS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
CONTEXT = 1024


def tensors(folder):
    with open(f"{folder}/model.safetensors", "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    data = np.memmap(f"{folder}/model.safetensors", mode="r", dtype=np.uint8, offset=8 + length)
    for name, entry in header.items():
        if name == "__metadata__": continue
        start, end = entry["data_offsets"]
        assert entry["dtype"] == "F32", name
        yield name, data[start:end].view("<f4").reshape(entry["shape"])


def convert(folder, path):
    import gguf
    with open(f"{folder}/config.json") as file: config = json.load(file)
    with open(f"{folder}/tokenizer.json") as file: vocabulary = json.load(file)["model"]["vocab"]
    writer = gguf.GGUFWriter(path, "olmoe")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_expert_count(config["num_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_rope_freq_base(10000.0)
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("olmo")
    words = sorted(vocabulary, key=vocabulary.get)
    writer.add_token_list(words)
    writer.add_token_types([1] * len(words))
    writer.add_token_merges(["a b"])
    writer.add_add_bos_token(False)
    found = dict(tensors(folder))
    names = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
             "lm_head.weight": "output.weight"}
    parts = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
             "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate": "ffn_gate_inp"}
    for layer in range(config["num_hidden_layers"]):
        for ours, theirs in parts.items():
            names[f"model.layers.{layer}.{ours}.weight"] = f"blk.{layer}.{theirs}.weight"
    for ours, theirs in names.items(): writer.add_tensor(theirs, np.ascontiguousarray(found[ours]))
    for layer in range(config["num_hidden_layers"]):
        for part in ("gate", "up", "down"):
            stacked = np.stack([found[f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"]
                                for expert in range(config["num_experts"])])
            writer.add_tensor(f"blk.{layer}.ffn_{part}_exps.weight", stacked)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if not os.path.exists(PATH): convert(FOLDER, PATH)
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = PATH
params.n_ctx = CONTEXT * SLOTS
params.n_parallel = SLOTS
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
params.port = 0
params.n_gpu_layers = 0
params.cache_prompt = False
params.warmup = True
params.ui = False
params.endpoint_metrics = True
server = xllamacpp.Server(params)
print(json.dumps({"ready": True, "url": server.listening_address}), flush=True)
sys.stdin.read()
os._exit(0)
