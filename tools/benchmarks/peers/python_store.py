"""Serves the benchmark `python`: one way to read or to write a model, told line by line what to do.

    python_store.py make PLACE SIZE              the model as safetensors, as torch.save has it, and in a store
    python_store.py read WAY PLACE               WAY: cambium, safetensors, torch
    python_store.py write PLACE SIZE
    python_store.py calls PLACE
Every answer is a line of JSON; sums of bytes tell whether all ways read the same.
"""
import json, os, sys, time

import torch
from safetensors import safe_open
from safetensors.torch import save_file

import cambium

QUICK, FULL = dict(layers=2, experts=16, hidden=256, inner=64), dict(layers=8, experts=64, hidden=1024, inner=336)
LAYER, ROUTER = 1, "model.layers.1.self_attn.q_proj.weight"
PARTS = ("gate_up_proj", "down_proj")


def config(size):
    return {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": size["hidden"],
            "moe_intermediate_size": size["inner"], "intermediate_size": size["inner"], "vocab_size": 1024,
            "num_experts": size["experts"], "num_experts_per_tok": 8, "num_hidden_layers": size["layers"],
            "num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": size["hidden"] // 8,
            "decoder_sparse_step": 1, "mlp_only_layers": [], "norm_topk_prob": True, "rms_norm_eps": 1e-6,
            "max_position_embeddings": 4096, "tie_word_embeddings": False, "torch_dtype": "bfloat16"}


def model(size):
    """A state dict of transformers 5: BF16, the experts of a layer stacked; about 1.2 GB in full size."""
    torch.manual_seed(1)
    hidden, inner, experts = size["hidden"], size["inner"], size["experts"]

    def numbers(*shape): return (torch.randn(shape, dtype=torch.float32) * 0.03).to(torch.bfloat16)

    state = {"model.embed_tokens.weight": numbers(1024, hidden), "lm_head.weight": numbers(1024, hidden),
             "model.norm.weight": torch.ones(hidden, dtype=torch.bfloat16)}
    for layer in range(size["layers"]):
        start = f"model.layers.{layer}."
        for name in "qkvo": state[f"{start}self_attn.{name}_proj.weight"] = numbers(hidden, hidden)
        for name in "qk":
            state[f"{start}self_attn.{name}_norm.weight"] = torch.ones(hidden // 8, dtype=torch.bfloat16)
        for name in ("input", "post_attention"):
            state[f"{start}{name}_layernorm.weight"] = torch.ones(hidden, dtype=torch.bfloat16)
        state[f"{start}mlp.gate.weight"] = numbers(experts, hidden)
        state[f"{start}mlp.experts.gate_up_proj"] = numbers(experts, 2 * inner, hidden)
        state[f"{start}mlp.experts.down_proj"] = numbers(experts, hidden, inner)
    return state


def make(place, size):
    state = model(size)
    os.makedirs(f"{place}/folder", exist_ok=True)
    save_file(state, f"{place}/folder/model.safetensors", metadata={"format": "pt"})
    with open(f"{place}/folder/config.json", "w") as file: json.dump(config(size), file)
    torch.save(state, f"{place}/model.pt")
    store = cambium.init(f"{place}/S")
    begin = time.perf_counter()
    store.commit(state, config=config(size), message="first")
    spent = time.perf_counter() - begin
    store["main"].save_pretrained(f"{place}/saved")  # a tensor for each expert and matrix, as transformers writes it
    return {"seconds": spent, "bytes": sum(tensor.nbytes for tensor in state.values())}


class Cambium:
    def __init__(self, place):
        self.snapshot = cambium.open(f"{place}/S").snapshot("main", framework="pt")
        self.experts = self.snapshot.experts(LAYER)

    def expert(self, number): return self.experts[number].tensors.values()

    def tensor(self): return [self.snapshot.get_tensor(ROUTER)]

    def all(self): return (self.snapshot.get_tensor(name) for name in self.snapshot)


class Safetensors:
    def __init__(self, place): self.file = safe_open(f"{place}/folder/model.safetensors", framework="pt")

    def expert(self, number):
        return [self.file.get_slice(f"model.layers.{LAYER}.mlp.experts.{part}")[number] for part in PARTS]

    def tensor(self): return [self.file.get_tensor(ROUTER)]

    def all(self): return (self.file.get_tensor(name) for name in self.file.keys())


class Torch:
    def __init__(self, place): self.state = torch.load(f"{place}/model.pt", mmap=True, weights_only=True)

    def expert(self, number): return [self.state[f"model.layers.{LAYER}.mlp.experts.{part}"][number] for part in PARTS]

    def tensor(self): return [self.state[ROUTER]]

    def all(self): return self.state.values()


WAYS = {"cambium": Cambium, "safetensors": Safetensors, "torch": Torch}


def total(tensors):
    """The sum of all bytes, taken as numbers of 64 bits, without those that go over."""
    return sum(int(tensor.reshape(-1).view(torch.int64).sum()) for tensor in tensors) % 2**64


def read(way, place):
    """Answers `open`, `in-hand WHAT`, `used WHAT` and `close`; WHAT: `tensor`, `all`, or `expert NUMBER…`."""
    opened = None

    def answer(word, what="", *numbers):
        nonlocal opened
        begin = time.perf_counter()
        if word == "close": opened = None
        elif word == "open": opened = WAYS[way](place)
        else:
            use = total if word == "used" else list
            found = [use(getattr(opened, what)(*map(int, each))) for each in ([[one] for one in numbers] or [[]])]
            spent = (time.perf_counter() - begin) / max(1, len(numbers))
            return {"seconds": spent, "sum": sum(found) % 2**64 if word == "used" else None}
        return {"seconds": time.perf_counter() - begin}

    return answer


def write(place, size):
    """Answers `commit` and `save`: one in a hundred of the experts changed before each."""
    state, store, step = model(size), cambium.open(f"{place}/S"), 0
    experts = size["experts"] * size["layers"]
    changed = max(1, experts // 100)

    def answer(word):
        nonlocal step
        step += 1
        for one in range(changed):
            layer, number = divmod((step * 37 + one * 101) % experts, size["experts"])
            state[f"model.layers.{layer}.mlp.experts.down_proj"][number].mul_(-1)
        begin = time.perf_counter()
        if word == "save":
            save_file(state, f"{place}/step.safetensors", metadata={"format": "pt"})
            spent = time.perf_counter() - begin
            os.remove(f"{place}/step.safetensors")
            return {"seconds": spent}
        done = store.commit(state, message=f"step {step}", branch="steps")
        spent = time.perf_counter() - begin
        snapshot = store.snapshot("steps", framework="pt")
        layer, number = divmod((step * 37) % experts, size["experts"])
        wanted = state[f"model.layers.{layer}.mlp.experts.down_proj"][number]
        right = torch.equal(snapshot.experts(layer)[number].get_tensor("down_proj"), wanted)
        return {"seconds": spent, "right": right, "new": done["newExperts"], "bytes": done.new_bytes}

    return answer


def calls(place):
    """Seconds of one call of what is called often."""
    store = cambium.open(f"{place}/S")
    snapshot = store["main"]
    experts, torches = snapshot.experts(LAYER), snapshot.with_framework("pt")
    tensor = snapshot[ROUTER]
    names = {
        "get_tensor, numpy": lambda: snapshot.get_tensor(ROUTER),
        "get_tensor, torch": lambda: torches.get_tensor(ROUTER),
        "info": lambda: snapshot.info(ROUTER), "lazy tensor": lambda: snapshot[ROUTER],
        "shape of a lazy tensor": lambda: tensor.shape, "expert's tensors": lambda: experts[3].tensors,
        "rows of a tensor": lambda: tensor[3:5], "resolve a branch": lambda: store.resolve("main"),
    }
    found = {}
    for name, call in names.items():
        count = 2000
        for _ in range(100): call()
        times = []
        for _ in range(7):
            begin = time.perf_counter()
            for _ in range(count): call()
            times.append((time.perf_counter() - begin) / count)
        found[name] = times
    return found


def main(what, *words):
    torch.set_num_threads(1)
    if what in ("make", "write"): words = (words[0], QUICK if words[1] == "quick" else FULL)
    if what == "make": return print(json.dumps(make(*words)))
    if what == "calls": return print(json.dumps(calls(*words)))
    answer = {"read": read, "write": write}[what](*words)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin: print(json.dumps(answer(*line.split())), flush=True)


if __name__ == "__main__": main(*sys.argv[1:])
