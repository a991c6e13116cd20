"""Loads a model into transformers and makes tokens: `python_transformers.py saved|folder|copied|mapped PLACE COUNT`.

saved: a folder with a tensor for each expert, as save_pretrained writes it; folder: one that has them stacked.

Prints seconds, tokens, a sum of the logits, and the memory that is the process's own (RssAnon, kB).
"""
import json, sys, time

import torch
import transformers

from cambium.transformers import from_pretrained


def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))


def main(way, place, count):
    torch.set_num_threads(2)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    before, begin = anonymous(), time.perf_counter()
    if way in ("saved", "folder"):
        model = transformers.Qwen3MoeForCausalLM.from_pretrained(
            f"{place}/{way}", dtype=torch.bfloat16, experts_implementation="eager")
    elif way == "copied": model = from_pretrained(f"{place}/S@main", experts_implementation="eager")
    else: model = from_pretrained(f"{place}/S@main", experts="mapped")
    loaded = time.perf_counter() - begin
    prompt = torch.arange(3, 19)[None]
    begin = time.perf_counter()
    made = model.generate(prompt, max_new_tokens=int(count), do_sample=False, eos_token_id=None, pad_token_id=0)
    spent, memory = time.perf_counter() - begin, anonymous() - before
    with torch.no_grad(): logits = model(prompt).logits.double().sum().item()
    print(json.dumps({"load": loaded, "generate": spent, "tokens": made[0].tolist(), "logits": logits, "memory": memory}))


if __name__ == "__main__": main(*sys.argv[1:])
