"""Two fine-tunes of a tiny OLMoE, merged by Cambium and by averaging; and what the models share.

A base is trained by transformers on English text, then a few experts of each layer and their router rows on each of
two other texts. Bits per byte are `cambium eval`'s, on text that nobody trained on.
"""
import dataclasses, json, os, sys

from harness.bench import STREAM, TRANSFORMERS, Target
from harness.programs import Failure, run as call, script
from harness.report import at_least, at_most

OLD = ("shakespeare", "gsm8k", "wikitext")
NEW = ("swahili", "metamath")
POLICIES = ("mean", "ties", "task", "regmean", "ours", "solve")
# Bits per byte that `solve` may lose to each text's own fine-tune, or to the base on old text.
GAPS = {"swahili": 0.25, "metamath": 0.50, **{name: 0.35 for name in OLD}}
# Of mergekit: by method, what a side's parameters and the whole's are.
MERGEKIT = {
    "linear": ({"weight": 0.5}, {}), "slerp": ({}, {"t": 0.5}),
    "ties": ({"weight": 1.0, "density": 0.5}, {"normalize": False}),
    "dare_ties": ({"weight": 1.0, "density": 0.5}, {"normalize": False})}
GROWN = ("chinese", "swahili")


class FineTunes:
    """One base and its fine-tunes, from one seed; what several seeds tell goes into `bits`."""

    def __init__(self, bench, seed, bits):
        self.bench, self.seed, self.bits = bench, seed, bits
        self.note, self.say = (bench.note if seed == 1 else lambda *_, **__: None), bench.say
        self.models, self.store = f"{bench.args.dir}/models-{seed}", f"{bench.args.dir}/store-{seed}"
        os.makedirs(self.models)
        self.steps = (40, 20) if bench.quick else (600, 300)

    def text(self, name, part): return f"{self.bench.args.data}/{name}/{part}.txt"

    def torch(self, *words): return json.loads(call(*script("torch_finetune.py", *words)).splitlines()[-1])

    def cambium(self, *words, status=0):
        return json.loads(call(self.bench.sides[0].path("cambium"), *words, "--store", self.store, "--json", status=status))

    def train(self):
        self.say(f"training a base, {self.steps[0]} steps")
        self.torch("train", f"{self.models}/base", self.steps[0], self.seed, *(self.text(name, "train") for name in OLD))
        chosen = {}
        for seed, name in enumerate(NEW, 10 * self.seed - 8):
            self.say(f"fine-tuning on {name}, {self.steps[1]} steps")
            chosen[name] = self.torch("tune", f"{self.models}/base", f"{self.models}/{name}", self.steps[1], seed, 4,
                                      self.text(OLD[0], "train"), self.text(name, "train"))["experts"]
        self.torch("mean", f"{self.models}/average", *(f"{self.models}/{name}" for name in NEW))
        self.torch("ridge", f"{self.models}/ridge", f"{self.models}/base", *(f"{self.models}/{name}" for name in NEW),
                   *(self.text(name, "train") for name in (*OLD, *NEW)))
        self.mergekit()
        self.torch("narrow", f"{self.models}/base", f"{self.models}/bf16")
        tuned = [number for layer in chosen[NEW[0]] for number in layer]
        self.donor = max(sorted(set(tuned)), key=tuned.count)
        both = sum(len(set(left) & set(right)) for left, right in zip(*chosen.values()))
        self.note("merge", "experts that both fine-tunes changed", both, "count", by="transformers")

    def mergekit(self):
        """Merges by mergekit, where it is installed."""
        program, self.peers = os.path.join(os.path.dirname(sys.executable), "mergekit-yaml"), ["average", "ridge"]
        if not os.path.exists(program): return self.say("mergekit is not installed, and left out")
        sides = [f"{self.models}/{name}" for name in NEW]
        for method, (each, whole) in MERGEKIT.items():
            recipe = {"merge_method": method, "dtype": "float32", "parameters": whole,
                      "models": [{"model": side, "parameters": each} for side in sides]}
            if method == "slerp": recipe["base_model"] = sides[0]
            elif method != "linear": recipe["base_model"] = f"{self.models}/base"
            with open(f"{self.models}/{method}.yml", "w") as file: json.dump(recipe, file)
            call(program, file.name, f"{self.models}/{method}", "--random-seed", "1")
            self.peers.append(method)

    def commit(self):
        self.bench.sides[0].cambium("init", self.store)
        self.cambium("commit", f"{self.models}/base", "-m", "base", *self.excerpts(*OLD))
        for name in (*NEW, *self.peers, "bf16"):
            self.cambium("branch", name, "main")
            # mergekit adds a tokenizer to its models, which are of bytes: of others the weights alone count.
            path = f"{self.models}/{name}" + ("/model.safetensors" if name in MERGEKIT else "")
            if name in MERGEKIT:
                for file in os.listdir(f"{self.models}/{name}"):
                    if file.startswith("tokenizer"): os.remove(f"{self.models}/{name}/{file}")
            self.cambium("commit", path, "-m", name, "--branch", name, *(self.excerpts(name) if name in NEW else ()))

    def excerpts(self, *names): return [word for name in names for word in ("--excerpts", self.text(name, "train"))]

    def merge(self):
        dry = self.cambium("merge", *NEW, "--into", "main", "--dry-run", status=3)
        self.conflicts = dry.get("conflicts", dry.get("error", {}).get("conflicts", []))
        self.note("merge", "entities in conflict", len(self.conflicts), "count")
        for policy in POLICIES:
            sides = NEW
            if policy == "regmean":
                # What each side's routers read, of the base's text and its own.
                sides = [f"{name}-routes" for name in NEW]
                for name, side in zip(NEW, sides):
                    self.cambium("branch", side, name)
                    self.cambium("evidence", "add", "--kind", "routes", "--branch", side, "--text",
                                 self.text(OLD[0], "train"), "--text", self.text(name, "train"))
            self.cambium("branch", f"merged-{policy}", sides[0])
            self.cambium("merge", sides[1], "--into", f"merged-{policy}", "--policy", policy)

    def measure(self):
        names = ["main", *NEW, *self.peers, *(f"merged-{policy}" for policy in POLICIES)]
        # All texts are called test.txt: the order of the rows tells them apart.
        answer = self.cambium("eval", *names, "--text", *(self.text(name, "test") for name in (*NEW, *OLD)), "--limit",
                              "8k" if self.bench.quick else "20k")
        for row in answer["rows"]:
            key = row["revision"], row["text"].split("/")[-2]
            self.bits.setdefault(key, []).append(row["bitsPerByte"])

    def share(self):
        models = ["main", *NEW, "bf16"]
        answer = self.cambium("shared", *models)
        whole = answer["models"][0]["contents"]
        for pair in answer["pairs"]:
            place = f"{pair['left']}, {pair['right']}"
            self.note("shared", place, pair["shared"]["bytes"] / whole["bytes"], "share")
            self.note("shared", f"{place}: same in BF16", pair["sameInBF16"]["bytes"] / whole["bytes"], "share")
        copy = next(pair for pair in answer["pairs"] if (pair["left"], pair["right"]) == ("main", "bf16"))
        if copy["sameInBF16"]["experts"] != whole["experts"]: raise Failure("the copy in BF16 has other values")
        self.note("shared", "together, of each by itself", answer["together"]["bytes"] / answer["separateBytes"], "share")

    def grow(self):
        """One more expert with a row in closed form, then another from what the first left as evidence."""
        for name in GROWN:
            branch, source = f"grown-{name}", f"{self.models}/{NEW[0]}:{self.donor}"
            self.say(f"adding an expert for {name}")
            self.cambium("branch", branch, "main")
            for again, keep in (("", ["--keep", self.text(OLD[0], "train")]), (" again", [])):
                found = self.cambium("expert", "add", branch, "--from", source, "--evidence", self.text(name, "train"),
                                     *keep)
                place = f"for {name}{again}"
                self.note("grow", f"{place}: picks of the new text that have the expert", found["picked"], "share")
                self.note("grow", f"{place}: old routes that stay", found["unchanged"], "share",
                          goal=at_least(0.995, "99.5 %", "value"))
                before, after = found["oldBits"]
                self.note("grow", f"{place}: old text, bits per token more", after - before, "bits")


def tell(bench, bits):
    """Of each model and text the bits per byte of all seeds, and what `solve` and its peers lose."""
    names = list(dict.fromkeys(name for name, _ in bits))
    others = {"average": "plain average", "ridge": "ridge routers", **{name: "mergekit" for name in MERGEKIT}}

    def mean(name, text): return sum(bits[name, text]) / len(bits[name, text])

    for name in names:
        for text in (*NEW, *OLD):
            against, goal = None, None
            if name.startswith("merged-"): against = ("plain average", mean("average", text))
            elif name != "main": against = ("base", mean("main", text))
            if name == "merged-mean" and text in NEW: against, goal = ("base", mean("main", text)), at_most(1, "< base")
            bench.note("bits", f"{name} on {text}", bits[name, text], "bits/byte", against=against, goal=goal,
                       by=others.get(name, "cambium"), center="mean")
    for name in names:
        if name in ("main", *NEW): continue
        for text, limit in GAPS.items():
            own = bits[text if text in NEW else "main", text]
            gaps = [value - best for value, best in zip(bits[name, text], own)]
            goal = at_most(limit, f"≤ {limit}", "value") if name == "merged-solve" else None
            bench.note("gap", f"{name} on {text}", gaps, "bits/byte", goal=goal, by=others.get(name, "cambium"),
                       center="mean")


def run(bench):
    bits = {}
    for seed in range(1, (1 if bench.quick else bench.args.seeds) + 1):
        tunes = FineTunes(bench, seed, bits)
        for action in (tunes.train, tunes.commit, tunes.merge, tunes.measure): action()
        if seed == 1: tunes.share(), tunes.grow()
    tell(bench, bits)


TARGET = Target(
    "finetunes", "Two fine-tunes of a tiny OLMoE, merged by Cambium and by averaging; and what the models share.", run,
    ("cambium",), peers=dataclasses.replace(TRANSFORMERS, needed=True, optional=("mergekit==0.1.5",)),
    options={"data": STREAM, "seeds": {"type": int, "default": 3, "help": "bases, each with fine-tunes of its own"}},
    quick="a few steps, nothing judged")
