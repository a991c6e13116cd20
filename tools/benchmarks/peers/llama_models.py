"""llama.cpp beside Cambium: GGUF files of the models of models_make.py, and llama.cpp's server with them.

    llama_models.py write FOLDER FORM FILE       FORM: f32, bf16, q8_0 or q4_0, of all matrices but routers
    llama_models.py serve FILE THREADS TEXTS [mapped]
        says its address, then answers lines `decode TOKENS COUNT`, `together TOKENS TEXTS COUNT`, `score TOKENS FIRST` as
        `models-benchmark serve` does; mapped: with no weights laid out anew
"""
import json, math, struct, sys, threading, time, urllib.request

import numpy as np


def tensors(folder):
    """(name, array as float32) of a safetensors file of F32."""
    with open(f"{folder}/model.safetensors", "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        data = np.memmap(f"{folder}/model.safetensors", dtype=np.uint8, mode="r", offset=8 + size)
    for name, tensor in header.items():
        begin, end = tensor["data_offsets"]
        yield name, data[begin:end].view(np.float32).reshape(tensor["shape"])


def write(folder, form, path):
    import gguf
    config = json.load(open(f"{folder}/config.json"))
    writer = gguf.GGUFWriter(path, "olmoe")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_expert_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_expert_count(config["num_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_vocab_size(config["vocab_size"])
    # Words that nobody reads: the texts are token ids.
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("olmo")
    writer.add_token_list([f"t{i}".encode() for i in range(config["vocab_size"])])
    writer.add_token_types([1] * config["vocab_size"])
    writer.add_token_merges(["t0 t1"])
    writer.add_add_bos_token(False)
    kind = {"f32": gguf.GGMLQuantizationType.F32, "bf16": gguf.GGMLQuantizationType.BF16,
            "q8_0": gguf.GGMLQuantizationType.Q8_0, "q4_0": gguf.GGMLQuantizationType.Q4_0}[form]

    def add(name, value, exact=False):
        if exact or value.ndim == 1 or form == "f32": writer.add_tensor(name, np.ascontiguousarray(value, np.float32))
        else: writer.add_tensor(name, gguf.quants.quantize(np.ascontiguousarray(value, np.float32), kind), raw_dtype=kind)

    found = dict(tensors(folder))
    add("token_embd.weight", found["model.embed_tokens.weight"])
    add("output_norm.weight", found["model.norm.weight"])
    add("output.weight", found["lm_head.weight"])
    for layer in range(config["num_hidden_layers"]):
        ours, theirs = f"model.layers.{layer}", f"blk.{layer}"
        for a, b in (("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
                     ("self_attn.o_proj", "attn_output"), ("self_attn.q_norm", "attn_q_norm"),
                     ("self_attn.k_norm", "attn_k_norm"), ("input_layernorm", "attn_norm"),
                     ("post_attention_layernorm", "ffn_norm")):
            add(f"{theirs}.{b}.weight", found[f"{ours}.{a}.weight"])
        add(f"{theirs}.ffn_gate_inp.weight", found[f"{ours}.mlp.gate.weight"], exact=True)
        for part in ("gate", "up", "down"):
            add(f"{theirs}.ffn_{part}_exps.weight",
                np.stack([found[f"{ours}.mlp.experts.{e}.{part}_proj.weight"] for e in range(config["num_experts"])]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Server:
    """llama.cpp's server in this process, asked over loopback; prompts and answers are token ids."""

    def __init__(self, path, threads, texts, mapped=False):
        import xllamacpp
        params = xllamacpp.CommonParams()
        params.model.path, params.port, params.fit_params, params.warmup = path, 0, False, True
        params.n_parallel, params.n_ctx = texts, 2048 * texts
        params.n_batch = params.n_ubatch = 1024
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        # Without it weights of codes are laid out anew, in memory for all of them.
        if mapped: params.no_extra_bufts = True
        self.server = xllamacpp.Server(params)

    def ask(self, tokens, count, **more):
        body = {"prompt": tokens, "n_predict": count, "temperature": 0, "ignore_eos": True, "cache_prompt": False,
                "return_tokens": True, **more}
        request = urllib.request.Request(f"{self.server.listening_address}/completion", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer: return json.load(answer)

    def decode(self, tokens, count):
        answer = self.ask(tokens, count)
        times = answer["timings"]
        return {"tokens": answer["tokens"], "tokens_per_s": times["predicted_per_second"],
                "prefill_seconds": times["prompt_ms"] / 1e3}

    def together(self, tokens, texts, count):
        """Texts side by side, each prompt turned by a token: new tokens a second, from the start to the last one's end."""
        threads = [threading.Thread(target=self.ask, args=(tokens[at:] + tokens[:at], count))
                   for at in (text % len(tokens) for text in range(texts))]
        begin = time.perf_counter()
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        return {"tokens": [], "tokens_per_s": texts * count / (time.perf_counter() - begin)}

    def score(self, tokens, first):
        """Bits of each token from a place on; those it does not name among many are counted as unlikely as the last."""
        bits = 0.0
        for place in range(first, len(tokens)):
            answer = self.ask(tokens[:place], 1, cache_prompt=True, n_probs=500)
            found = answer["completion_probabilities"][0]["top_logprobs"]
            chances = {one["id"]: one["logprob"] for one in found}
            bits -= chances.get(tokens[place], found[-1]["logprob"]) / math.log(2)
        return {"tokens": [], "bits_per_token": bits / (len(tokens) - first)}


def serve(path, threads, texts, mapped=""):
    begin = time.perf_counter()
    server = Server(path, int(threads), int(texts), bool(mapped))
    print(json.dumps({"load_seconds": time.perf_counter() - begin, "url": server.server.listening_address}), flush=True)
    for line in sys.stdin:
        name, tokens, *numbers = line.split()
        answer = getattr(server, name)([int(i) for i in tokens.split(",")], *map(int, numbers))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    {"write": write, "serve": serve}[sys.argv[1]](*sys.argv[2:])
