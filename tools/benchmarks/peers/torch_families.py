"""Random models of the families that Cambium runs, made, written and run by transformers on the CPU.

    torch_families.py SIZE      JSON: layers, hidden, inner, experts, top_k, heads, vocabulary
    stdin:  make FAMILY FOLDER | logits TOKENS FILE | decode TOKENS COUNT THREADS | together TOKENS TEXTS COUNT THREADS

The others run the model that was made last. An error is an answer: the next line may go well.
"""
import gc, json, sys, time

import torch
import transformers

from torch_models import ids, say, write_logits


def families(size):
    """{family: what its config says besides what all of them say}"""
    hidden, heads, inner, experts = (size[key] for key in ("hidden", "heads", "inner", "experts"))
    head, dense = hidden // heads, inner * size["top_k"]
    kinds = ["linear_attention" if layer % 4 < 3 else "full_attention" for layer in range(size["layers"])]
    small = {"intermediate_size": inner, "num_experts": experts}
    local = {"intermediate_size": inner, "num_local_experts": experts}
    mixed = {"intermediate_size": dense, "moe_intermediate_size": inner, "num_experts": experts}
    routed = {"intermediate_size": dense, "moe_intermediate_size": inner, "n_routed_experts": experts,
              "n_shared_experts": 1, "norm_topk_prob": True, "n_group": 1, "topk_group": 1,
              "first_k_dense_replace": 1, "num_nextn_predict_layers": 0}
    latent = {**routed, "num_key_value_heads": heads, "q_lora_rank": hidden // 2, "kv_lora_rank": hidden // 4,
              "qk_nope_head_dim": head, "qk_rope_head_dim": head // 2, "v_head_dim": head}
    delta = {**mixed, "head_dim": head, "shared_expert_intermediate_size": inner, "layer_types": kinds,
             "linear_num_key_heads": heads // 2, "linear_num_value_heads": heads, "linear_key_head_dim": head,
             "linear_value_head_dim": head}
    yarn = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0,
            "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 64}
    return {
        "olmoe": {**small, "num_key_value_heads": heads},
        "mixtral": local,
        "qwen2_moe": {**mixed, "shared_expert_intermediate_size": dense},
        "qwen3_moe": {**mixed, "head_dim": head, "norm_topk_prob": True},
        "flex_olmo": {**small, "num_key_value_heads": heads},
        "gpt_oss": {**local, "head_dim": head},
        "deepseek_v3": {**latent, "n_group": 4, "topk_group": 2},
        "kimi_k2": {**latent, "rope_parameters": yarn},
        "glm4_moe_lite": latent,
        "glm4_moe": {**routed, "head_dim": head, "use_qk_norm": True, "attention_bias": True},
        "minimax_m2": {**local, "head_dim": head, "rotary_dim": head // 2},
        "dots1": {**routed, "head_dim": head},
        "granitemoe": {**local, "embedding_multiplier": 12.0, "attention_multiplier": 1 / head,
                       "residual_multiplier": 0.25, "logits_scaling": 6.0},
        # SparseMixer picks two.
        "phimoe": {**local, "num_experts_per_tok": 2, "attention_bias": True, "lm_head_bias": True},
        "ernie4_5_moe": {"intermediate_size": dense, "moe_intermediate_size": inner, "moe_num_experts": experts,
                         "moe_k": size["top_k"], "moe_num_shared_experts": 1},
        "mistral4": {**latent, "rope_parameters": {**yarn, "llama_4_scaling_beta": 0.1}},
        "deepseek_v2": {**latent, "q_lora_rank": None, "norm_topk_prob": False},
        "qwen3_next": delta,
        "qwen3_5_moe": delta,
        "gemma4": {**mixed, "head_dim": head, "global_head_dim": 2 * head, "num_global_key_value_heads": 1,
                   "attention_k_eq_v": True, "enable_moe_block": True, "top_k_experts": size["top_k"],
                   "hidden_size_per_layer_input": 0, "final_logit_softcapping": 30.0},
    }


# Names under which the library has a family: DeepSeek-V3's for one, the language models of two that also see.
NAMES = {"kimi_k2": "deepseek_v3", "qwen3_5_moe": "qwen3_5_moe_text", "gemma4": "gemma4_text"}


class Models:
    def __init__(self, size): self.size, self.families, self.model = size, families(size), None

    def make(self, family, folder):
        """The same weights for the same sizes: matrices that keep the length of what they multiply, norms around one."""
        self.model = None
        gc.collect()
        size = self.size
        config = transformers.AutoConfig.for_model(NAMES.get(family, family), **{
            "vocab_size": size["vocabulary"], "hidden_size": size["hidden"], "num_hidden_layers": size["layers"],
            "num_attention_heads": size["heads"], "num_key_value_heads": size["heads"] // 2,
            "num_experts_per_tok": size["top_k"], "initializer_range": size["hidden"] ** -0.5,
            "max_position_embeddings": 2048, "bos_token_id": 1, "eos_token_id": None, "pad_token_id": None,
            **self.families[family]})
        torch.manual_seed(7)
        # One has no entry in the library's table of language models.
        model = (transformers.Mistral4ForCausalLM(config) if family == "mistral4"
                 else transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)).eval()
        for value in model.state_dict().values():
            if value.dim() == 1 and value.is_floating_point(): value.add_(torch.randn_like(value), alpha=0.1)
        model.set_experts_implementation("grouped_mm")
        model.save_pretrained(folder)
        if family == "kimi_k2":
            with open(f"{folder}/config.json") as file: fields = json.load(file)
            with open(f"{folder}/config.json", "w") as file: json.dump({**fields, "model_type": family}, file)
        self.model = model
        return {"parameters": sum(value.numel() for value in model.parameters())}

    def logits(self, tokens, path): return write_logits(self.model, tokens, path)

    def generate(self, texts, count, threads):
        """New tokens of each text, and all of them a second, prompts included in the time."""
        torch.set_num_threads(threads)
        begin = time.perf_counter()
        found = self.model.generate(torch.tensor(texts), attention_mask=torch.ones(len(texts), len(texts[0])),
                                    max_new_tokens=count, do_sample=False, pad_token_id=0)
        seconds = time.perf_counter() - begin
        made = found[:, len(texts[0]):].tolist()
        if any(len(text) != count for text in made): raise ValueError(f"a text ended before {count} tokens")
        return made, len(texts) * count / seconds

    def decode(self, tokens, count, threads):
        made, _ = self.generate([ids(tokens)], int(count), int(threads))
        return {"tokens": made[0]}

    def together(self, tokens, texts, count, threads):
        """Texts side by side, the prompt of each turned by a token."""
        prompt = ids(tokens)
        turned = [prompt[text % len(prompt):] + prompt[:text % len(prompt)] for text in range(int(texts))]
        return {"tokens_per_s": self.generate(turned, int(count), int(threads))[1]}


def main():
    torch.set_num_threads(2)
    transformers.utils.logging.disable_progress_bar()
    models = Models(json.loads(sys.argv[1]))
    say(families=list(models.families))
    with torch.inference_mode():
        for line in sys.stdin:
            name, *words = line.split()
            try: answer = getattr(models, name)(*words)
            except Exception as error: answer = {"error": f"{type(error).__name__}: {error}"[:500]}
            say(**answer)


if __name__ == "__main__": main()
