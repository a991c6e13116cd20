"""A tiny OLMoE of one seed, its fine-tunes, and what merges of them predict."""
import json, os, sys

from harness.programs import Failure, run as call, script
from harness.report import at_least

OLD = ("shakespeare", "gsm8k", "wikitext")
NEW = ("swahili", "metamath")
POLICIES = ("mean", "ties", "task", "regmean", "ours", "solve", "alternatives")
# Alternatives whose gate is solved from counts of this much of each text; without any it follows the likelihood.
COUNTED, COUNTED_BYTES = "alternatives, counts", 100_000
# Every version of a changed expert, beside the base's.
KEPT = "solve --grow"
# Of mergekit: by method, what a side's parameters and the whole's are.
MERGEKIT = {
    "linear": ({"weight": 0.5}, {}), "slerp": ({}, {"t": 0.5}),
    "ties": ({"weight": 1.0, "density": 0.5}, {"normalize": False}),
    "dare_ties": ({"weight": 1.0, "density": 0.5}, {"normalize": False})}
MIXED = (("swahili", "shakespeare"), ("swahili", "metamath"))
MEASURED_MIXED = ("base", *(f"fine-tune {name}" for name in NEW), "average", "mean", "solve", "alternatives", COUNTED)
GROWN = ("chinese", "swahili")


def interleaved(left, right, size, piece=100):
    """Lines of two texts in turn, each time as many as have `piece` bytes: `size` bytes of both together."""
    def pieces(path):
        part = b""
        with open(path, "rb") as file:
            for line in file.read(4 * size).splitlines(keepends=True):
                part += line
                if len(part) >= piece:
                    yield part
                    part = b""
    whole = b"".join(one + other for one, other in zip(pieces(left), pieces(right)))
    if len(whole) < size: raise Failure(f"{left} and {right} have too few lines")
    return whole[:size]


class FineTunes:
    """One base and its fine-tunes, from one seed; what several seeds tell goes into `bits`, by case, model and text."""

    def __init__(self, bench, seed, bits):
        self.bench, self.seed, self.bits = bench, seed, bits
        self.note, self.say = (bench.note if seed == 1 else lambda *_, **__: None), bench.say
        self.models = f"{bench.args.models or bench.args.dir}/models-{seed}{'-quick' if bench.quick else ''}"
        self.store = f"{bench.args.dir}/store-{seed}"
        self.size = 8_000 if bench.quick else 20_000
        self.steps = (40, 20) if bench.quick else (600, 300)
        self.distances = {}  # of held fine-tunes: of outputs and of routers, in the last step
        os.makedirs(self.models, exist_ok=True)

    def text(self, name, part): return f"{self.bench.args.data}/{name}/{part}.txt"

    def torch(self, job, name, *words, front=()):
        """What PyTorch tells of a model that it makes by a job; one that is there already is not made again."""
        path = f"{self.models}/{name}"
        if not os.path.exists(path + ".json"):
            self.say(f"seed {self.seed}: {job} {name}")
            answer = call(*script("torch_finetune.py", job, *front, path, *words)).splitlines()[-1]
            with open(path + ".json", "w") as file: file.write(answer)
        with open(path + ".json") as file: return json.load(file)

    def cambium(self, *words, status=0):
        program = self.bench.sides[0].path("cambium")
        return json.loads(call(program, *words, "--store", self.store, "--json", status=status))

    def excerpts(self, *names): return [word for name in names for word in ("--excerpts", self.text(name, "train"))]

    # Models

    def tune(self, name, text, number, count=4, parts="experts", hold=()):
        """A fine-tune on one of the texts: the experts of each layer that learned, and how far it is from what holds it."""
        return self.torch("tune", name, self.steps[1], 10 * self.seed - 8 + number, count, parts,
                          self.text(OLD[0], "train"), self.text(text, "train"), *hold, front=(f"{self.models}/base",))

    def train(self):
        self.torch("train", "base", self.steps[0], self.seed, *(self.text(name, "train") for name in OLD))
        chosen = [self.tune(name, name, number)["experts"] for number, name in enumerate(NEW)]
        tuned = [number for layer in chosen[0] for number in layer]
        self.donor = max(sorted(set(tuned)), key=tuned.count)
        both = sum(len(set(left) & set(right)) for left, right in zip(*chosen))
        self.note("merge", "experts that both fine-tunes changed", both, "count", by="transformers")

    def commit_base(self):
        self.bench.sides[0].cambium("init", self.store)
        self.cambium("commit", f"{self.models}/base", "-m", "base", *self.excerpts(*OLD))
        for name in NEW: self.commit(name, name)

    def commit(self, name, text=None, onto="main", path=None):
        """A model on a branch of its own, with excerpts of its text."""
        self.cambium("branch", name, onto)
        self.cambium("commit", path or f"{self.models}/{name}", "-m", name, "--branch", name,
                     *(self.excerpts(text) if text else ()))

    # Merges of others

    def average(self, name, sides):
        """The plain average of all weights, committed."""
        self.torch("mean", name, *(f"{self.models}/{side}" for side in sides))
        self.commit(name)

    def others(self):
        """What PyTorch and mergekit make of the two."""
        sides, self.peers = [f"{self.models}/{name}" for name in NEW], {"average": "average", "ridge": "ridge"}
        self.average("average", NEW)
        self.torch("ridge", "ridge", f"{self.models}/base", *sides, *(self.text(name, "train") for name in (*OLD, *NEW)))
        self.commit("ridge")
        program = os.path.join(os.path.dirname(sys.executable), "mergekit-yaml")
        if not os.path.exists(program): return self.say("mergekit is not installed, and left out")
        for method, (each, whole) in MERGEKIT.items():
            recipe = {"merge_method": method, "dtype": "float32", "parameters": whole,
                      "models": [{"model": side, "parameters": each} for side in sides]}
            if method == "slerp": recipe["base_model"] = sides[0]
            elif method != "linear": recipe["base_model"] = f"{self.models}/base"
            with open(f"{self.models}/{method}.yml", "w") as file: json.dump(recipe, file)
            if not os.path.exists(f"{self.models}/{method}/model.safetensors"):
                self.say(f"seed {self.seed}: mergekit, {method}")
                call(program, file.name, f"{self.models}/{method}", "--random-seed", "1")
            # mergekit adds a tokenizer to its models, which are of bytes: the weights alone count.
            for file in os.listdir(f"{self.models}/{method}"):
                if file.startswith("tokenizer"): os.remove(f"{self.models}/{method}/{file}")
            self.commit(method, path=f"{self.models}/{method}/model.safetensors")
            self.peers[f"mergekit {method}"] = method

    # Merges of ours

    def merge(self, name, sides, policy, *words):
        """A branch where one command merges all sides by a policy."""
        self.say(f"seed {self.seed}: {name}")
        self.cambium("branch", name, sides[0])
        self.cambium("merge", *sides[1:], "--into", name, "--policy", policy, *words)

    def policies(self):
        dry = self.cambium("merge", *NEW, "--into", "main", "--dry-run", status=3)
        conflicts = dry.get("conflicts", dry.get("error", {}).get("conflicts", []))
        self.note("merge", "entities in conflict", len(conflicts), "count")
        for policy in POLICIES:
            sides = NEW
            if policy == "regmean":
                # What each side's routers read, of the base's text and its own.
                sides = [f"{name}-routes" for name in NEW]
                for name, side in zip(NEW, sides):
                    self.cambium("branch", side, name)
                    self.cambium("evidence", "add", "--kind", "routes", "--branch", side, "--text",
                                 self.text(OLD[0], "train"), "--text", self.text(name, "train"))
            self.merge(f"merge-{policy}", sides, policy)
        self.merge("merge-kept", NEW, "solve", "--grow")
        self.counted("merge-counts", NEW)

    def counted(self, name, sides):
        """Alternatives over a base and sides that counted some of their texts."""
        base = f"{name}-base"
        self.cambium("branch", base, "main")
        self.count(base, *OLD)
        counted = []
        for side in sides:
            counted.append(f"{name}-{side}")
            self.commit(counted[-1], onto=base, path=f"{self.models}/{side}")
            self.count(counted[-1], side)
        self.merge(name, counted, "alternatives")

    def count(self, branch, *names):
        for name in names:
            path = f"{self.models}/{name}-counted.txt"
            with open(self.text(name, "train"), "rb") as file: part = file.read(COUNTED_BYTES)
            with open(path, "wb") as file: file.write(part)
            self.cambium("evidence", "add", "--adapter", "base", "--branch", branch, "--text", path)

    # What they predict

    def measure(self, case, models, texts):
        """Bits per byte of {what it is called: branch} on {what it is called: file}."""
        for name, branch in models.items():
            # All test texts have one name: the order of the rows tells them apart.
            answer = self.cambium("eval", branch, "--text", *texts.values(), "--limit", self.size)
            found = [row["bitsPerByte"] for row in answer["rows"]]
            if len(found) != len(texts): raise Failure(f"{len(found)} rows for {len(texts)} texts")
            for text, value in zip(texts, found): self.bits.setdefault(case, {}).setdefault((name, text), []).append(value)
            self.say(f"seed {self.seed}: {case}: {name}: " + " ".join(f"{value:.3f}" for value in found))

    def tests(self, *names): return {name: self.text(name, "test") for name in names}

    def measure_merges(self):
        models = {"base": "main", **{f"fine-tune {name}": name for name in NEW}, **self.peers,
                  **{policy: f"merge-{policy}" for policy in POLICIES}, KEPT: "merge-kept", COUNTED: "merge-counts"}
        self.measure("merge", models, self.tests(*NEW, *OLD))
        texts = {}
        for left, right in MIXED:
            path = f"{self.models}/{left}-{right}.txt"
            with open(path, "wb") as file:
                file.write(interleaved(self.text(left, "test"), self.text(right, "test"), self.size))
            texts[f"{left} + {right}"] = path
        self.measure("mixed", {name: branch for name, branch in models.items() if name in MEASURED_MIXED}, texts)

    # Sharing and growth

    def share(self):
        self.torch("narrow", "bf16", front=(f"{self.models}/base",))
        self.commit("bf16")
        answer = self.cambium("shared", "main", *NEW, "bf16")
        whole = answer["models"][0]["contents"]
        for pair in answer["pairs"]:
            place = f"{pair['left']}, {pair['right']}"
            self.note("shared", place, pair["shared"]["bytes"] / whole["bytes"], "share")
            self.note("shared", f"{place}: same in BF16", pair["sameInBF16"]["bytes"] / whole["bytes"], "share")
        copy = next(pair for pair in answer["pairs"] if (pair["left"], pair["right"]) == ("main", "bf16"))
        if copy["sameInBF16"]["experts"] != whole["experts"]: raise Failure("the copy in BF16 has other values")
        self.note("shared", "together, of each by itself", answer["together"]["bytes"] / answer["separateBytes"], "share")

    def grow(self):
        """One more expert with a row in closed form: in the model, with another from what the first left as evidence, and
        behind a gate."""
        source, keep = f"{self.models}/{NEW[0]}:{self.donor}", ["--keep", self.text(OLD[0], "train")]
        for name in GROWN:
            self.say(f"adding an expert for {name}")
            for branch in (f"grown-{name}", f"gated-{name}"): self.cambium("branch", branch, "main")
            refused = set()
            for how, branch, words in (("", f"grown-{name}", keep), (" again", f"grown-{name}", []),
                                       (" behind a gate", f"gated-{name}", [*keep, "--gate", name])):
                place, gated = f"for {name}{how}", "--gate" in words
                if branch in refused: continue
                try:
                    found = self.cambium("expert", "add", branch, "--from", source, "--evidence",
                                         self.text(name, "train"), *words)
                except Failure as failure:
                    # A row that would take old routes is not committed; behind a gate one is to be found.
                    if gated: raise
                    self.say(f"{place}: {failure}")
                    refused.add(branch)
                    continue
                self.note("grow", f"{place}: picks of the new text that have the expert", found["picked"], "share",
                          goal=at_least(0.9, "90 %", "value") if gated else None)
                self.note("grow", f"{place}: old routes that stay", found["unchanged"], "share",
                          goal=at_least(0.995, "99.5 %", "value") if gated else None)
                before, after = found["oldBits"]
                self.note("grow", f"{place}: old text, bits per token more", after - before, "bits")
