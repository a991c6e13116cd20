"""Checkpoints, configs and patches that are wrong in one place: an error that says so, never a trap, nothing written."""
import copy, json, os, shutil, struct
from models import Model, patch
from program import run
from report import Row
from steps import references

VALUES = [
    None, True, False, -1, 0, 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**64, -2**63, 1e308, 0.5, -0.0, "", "x", "\u202e\x1b[2J", "../up", "a" * 5000,
    [], {}, [1], [[[]]], [2**40, 2**40], [-1, 4], [0], {"a": {"b": {}}}, float("nan"), float("inf"),
]


def places(value, path=()):
    """All paths into a JSON value, those of its containers included."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def mutated(value, source):
    """One change of structure: a value replaced, a key removed, doubled or renamed, or a deep nest."""
    value = copy.deepcopy(value)
    path = source.choice(places(value)[1:] or [()])
    if not path:
        return source.choice(VALUES)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    kind = source.randrange(6)
    if kind == 0 and isinstance(inner, dict):
        del inner[path[-1]]
    elif kind == 1 and isinstance(inner, dict):
        inner[source.choice(["x", "", "../y", "model.norm.weight", "a\nb"])] = inner.pop(path[-1])
    elif kind == 2 and isinstance(inner[path[-1]], int):
        inner[path[-1]] += source.choice([-1, 1, 8, 1 << 32])
    elif kind == 3:
        deep = inner[path[-1]]
        for _ in range(source.choice([3, 2000])):
            deep = [deep]
        inner[path[-1]] = deep
    else:
        inner[path[-1]] = source.choice(VALUES)
    return value


def text_of(value):
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b"[" * 5000 + b"]" * 5000


def damaged(data, source):
    """A change of bytes: cut off, flipped, a piece repeated or taken out."""
    data = bytearray(data)
    kind, at = source.randrange(4), source.randrange(max(1, len(data)))
    if kind == 0:
        return bytes(data[:at])
    if kind == 1:
        for _ in range(source.randint(1, 8)):
            data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        return bytes(data)
    end = min(len(data), at + source.randint(1, 64))
    return bytes(data[:end] + data[at:]) if kind == 2 else bytes(data[:at] + data[end:])


def header_mutated(file, source):
    """A safetensors file whose header is changed as JSON, its length kept right or made wrong."""
    length = struct.unpack("<Q", file[:8])[0]
    text = text_of(mutated(json.loads(file[8:8 + length]), source))
    if source.random() < 0.1:
        length = source.choice([0, 1, len(text) - 1, len(text) + 1, 2**31, 2**63, 2**64 - 1])
    else:
        length = len(text)
    return struct.pack("<Q", length) + text + file[8 + struct.unpack("<Q", file[:8])[0]:]


TOKENIZER = {
    "version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}, "decoder": {"type": "ByteLevel"},
}


def fuzz_lines(plan, history):
    """What is wrong: the file's name, and a function that makes its bytes."""
    model = Model.made(plan.seed).changed(plan.seed + 1)
    change = patch(plan.seed + 2)
    index = {"metadata": {"total_size": 1}, "weight_map": {name: "model.safetensors" for name in model.tensors}}
    return list({
        "a header of safetensors": ("model.safetensors", lambda s: header_mutated(model.file, s)),
        "bytes of safetensors": ("model.safetensors", lambda s: damaged(model.file[:4000], s) + model.file[4000:]),
        "config.json": ("config.json", lambda s: text_of(mutated(model.config, s))),
        "bytes of config.json": ("config.json", lambda s: damaged(json.dumps(model.config).encode(), s)),
        "tokenizer.json": ("tokenizer.json", lambda s: text_of(mutated(TOKENIZER, s))),
        "an index of shards": ("model.safetensors.index.json", lambda s: text_of(mutated(index, s))),
        "a patch": (None, lambda s: header_mutated(change, s) if s.random() < 0.7 else damaged(change, s)),
    }.items())


def fuzzed(what, case, history, folder, plan):
    name, make = case
    row, store, place = Row(plan, "fuzz", what), history.copy(folder + "/S"), folder + "/fuzz"
    before = references(store)
    whole = Model.made(plan.seed).changed(plan.seed + 1).write(folder + "/fuzz-whole")
    for turn in plan.turns:
        source = plan.source("fuzz", what, turn)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole, place)
        if name == "model.safetensors.index.json":
            os.rename(place + "/model.safetensors", place + "/model-00001-of-00001.safetensors")
        with open(f"{place}/{name or 'patch.safetensors'}", "wb") as file:
            file.write(make(source))
        words = ["commit", place] if name else ["commit", "--patch", place + "/patch.safetensors"]
        outcome = run(*words, "-m", "fuzz", store=store)
        problems = [f"{outcome}"] if outcome.trapped else []
        if outcome.code == 0:
            for words in (["generate", "main", "--prompt", "ab", "-n", "2"], ["export", "main", folder + "/out", "--force"], ["ls", "main"]):
                after = run(*words, store=store)
                if after.trapped or after.code == 4:
                    problems.append(f"{after}")
            history.copy(store)
        elif turn % 10 == 0 and references(store) != before:
            problems.append("the commit failed, and references changed")
        if problems:
            kept = f"{folder}/kept-{turn}"
            shutil.copytree(place, kept, dirs_exist_ok=True)
            problems = [f"{problem} (input: {kept})" for problem in problems]
        row.tried(problems, turn, f"{what}, turn {turn}", outcome.code != 0)
    outcome = run("verify", store=store)
    row.tried([] if outcome.code == 0 else [f"{outcome}"], 0, "verify", False)
    return [row]
