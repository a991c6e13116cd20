"""A tiny Qwen3-MoE trained by transformers, and the BF16 elements that each step changes of its checkpoint.

    torch_steps.py FOLDER SIZE STEPS RATE... -- TEXT...

FOLDER gets base/ (a checkpoint, trained for a while first) and rate-RATE.npy of each rate: for each step an array of
indices (u32, into the elements of the file in its order) and one of their new values (the bits). Weights are kept in
32 bits for AdamW and published in BF16, as trainers do. What is there already is not made again.
"""
import os, sys, tempfile

import numpy as np
import torch
import transformers

from torch_finetune import windows

# Hidden and inner width, layers, experts, steps of the base.
SIZES = {"quick": (64, 64, 2, 8, 20), "full": (128, 128, 4, 32, 200)}


def made(size):
    hidden, inner, layers, experts, _ = SIZES[size]
    torch.manual_seed(1)
    return transformers.Qwen3MoeForCausalLM(transformers.Qwen3MoeConfig(
        vocab_size=256, hidden_size=hidden, intermediate_size=inner, moe_intermediate_size=inner,
        num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=4, head_dim=hidden // 4,
        num_experts=experts, num_experts_per_tok=4, norm_topk_prob=True, max_position_embeddings=256,
        router_aux_loss_coef=0.02, output_router_logits=True, tie_word_embeddings=False, pad_token_id=None,
        bos_token_id=None, eos_token_id=None))


def train(model, texts, steps, seed, rate):
    """Steps of AdamW at one rate, one at a time."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    model.set_experts_implementation("grouped_mm")
    model.train()
    for _, batch in zip(range(steps), windows(texts, seed)):
        loss = model(batch, labels=batch).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield float(loss.detach())


@torch.no_grad()
def publish(model, narrow, folder):
    """Writes the weights in BF16; the elements of the file."""
    for wide, other in zip(model.parameters(), narrow.parameters()): other.copy_(wide)
    narrow.save_pretrained(folder, max_shard_size="20GB")
    path = f"{folder}/model.safetensors"
    with open(path, "rb") as file: length = int.from_bytes(file.read(8), "little")
    return np.fromfile(path, np.uint16, offset=8 + length)


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    split = sys.argv.index("--")
    (folder, size, steps, *rates), texts = sys.argv[1:split], sys.argv[split + 1:]
    model, narrow = made(size), made(size).to(torch.bfloat16)
    if not os.path.isdir(f"{folder}/base"):
        for loss in train(model, texts, SIZES[size][-1], 1, 1e-3): pass
        print(f"base: loss {loss:.3f}", file=sys.stderr)
        publish(model, narrow, f"{folder}/base.part")
        os.rename(f"{folder}/base.part", f"{folder}/base")
    for rate in rates:
        path = f"{folder}/rate-{rate}.npy"
        if os.path.exists(path): continue
        # Every rate begins at the same published weights.
        model = transformers.AutoModelForCausalLM.from_pretrained(f"{folder}/base", dtype=torch.float32)
        with tempfile.TemporaryDirectory(dir=folder) as scratch, open(path + ".part", "wb") as file:
            before = publish(model, narrow, scratch)
            for loss in train(model, texts, int(steps), 2, float(rate)):
                after = publish(model, narrow, scratch)
                index = np.flatnonzero(before != after).astype(np.uint32)
                np.save(file, index)
                np.save(file, after[index])
                before = after
        os.rename(path + ".part", path)
        print(f"rate {rate}: loss {loss:.3f}, {len(index) / len(after):.2%} in the last step", file=sys.stderr)


if __name__ == "__main__":
    main()
