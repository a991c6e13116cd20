"""A model run by transformers on the CPU; answers lines as `models-benchmark` does.

    torch_models.py serve FOLDER [IMPLEMENTATION]
    torch_models.py first FOLDER TOKENS
    torch_models.py logits FOLDER TOKENS FILE     (computed in 32 bits, whatever the weights are stored in)
"""
import json, sys, time

start = time.perf_counter()
import torch
import transformers

transformers.logging.set_verbosity_error()
imported = time.perf_counter() - start


def field(name, path):
    with open(path) as file:
        for line in file:
            if line.startswith(name + ":"): return int(line.split()[1])
    return 0


def load(folder, implementation="grouped_mm", dtype="auto"):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    model.set_experts_implementation(implementation)
    return model.eval()


def ids(word): return [int(part) for part in word.split(",")]


def say(**answer): print(json.dumps(answer), flush=True)


@torch.inference_mode()
def decode(model, prompt, count):
    """Greedy, with the key-value cache, by a loop of forward passes: the library's least work for a token."""
    begin, used = time.perf_counter(), time.process_time()
    found = model(torch.tensor([prompt]), use_cache=True, logits_to_keep=1)
    tokens = [int(found.logits[0, -1].argmax())]
    first = time.perf_counter()
    while len(tokens) < count:
        found = model(torch.tensor([tokens[-1:]]), past_key_values=found.past_key_values, use_cache=True)
        tokens.append(int(found.logits[0, -1].argmax()))
    end = time.perf_counter()
    used = time.process_time() - used
    return {"tokens": tokens, "cpu_ms_per_token": used * 1000 / (count + len(prompt) - 1), "prefill_seconds": first - begin,
            "tokens_per_s": (count - 1) / (end - first) if count > 1 else 0}


@torch.inference_mode()
def write_logits(model, tokens, path):
    rows = model(torch.tensor([ids(tokens)])).logits[0].float().numpy()
    rows.astype("<f4").tofile(path)
    return {"rows": len(rows)}


def serve(folder, *implementation):
    torch.set_num_threads(2)
    begin = time.perf_counter()
    model = load(folder, *implementation)
    say(load_seconds=time.perf_counter() - begin, import_seconds=imported)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "logits":
            say(**write_logits(model, *words[1:]))
        else:
            torch.set_num_threads(int(words[3]))
            say(**decode(model, ids(words[1]), int(words[2])))


def first(folder, tokens):
    torch.set_num_threads(2)
    answer = decode(load(folder), ids(tokens), 1)
    answer["bytes_read"] = field("read_bytes", "/proc/self/io")
    answer["rss_anon"] = field("RssAnon", "/proc/self/status") * 1024
    answer["import_seconds"] = imported
    say(**answer)


def logits(folder, tokens, path):
    torch.set_num_threads(2)
    say(**write_logits(load(folder, dtype=torch.float32), tokens, path))


if __name__ == "__main__": {"serve": serve, "first": first, "logits": logits}[sys.argv[1]](*sys.argv[2:])
