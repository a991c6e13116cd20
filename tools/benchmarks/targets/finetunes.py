"""Two fine-tunes of a tiny OLMoE, merged by Cambium and by averaging; and what the models share.

A base is trained by transformers on English text, then a few experts of each layer and their router rows on each of
two other texts. Bits per byte are `cambium eval`'s, on text that nobody trained on.
"""
import dataclasses, json, os

from harness.bench import STREAM, TRANSFORMERS, Target
from harness.programs import Failure, run as call, script
from harness.report import at_least, at_most

OLD = ("shakespeare", "gsm8k", "wikitext")
NEW = ("swahili", "metamath")
POLICIES = ("mean", "ties", "task", "regmean", "ours")
GROWN = ("chinese", "swahili")


class FineTunes:
    def __init__(self, bench):
        self.bench, self.note, self.say = bench, bench.note, bench.say
        self.models, self.store = f"{bench.args.dir}/models", f"{bench.args.dir}/store"
        os.makedirs(self.models)
        self.steps = (40, 20) if bench.quick else (600, 300)

    def text(self, name, part): return f"{self.bench.args.data}/{name}/{part}.txt"

    def torch(self, *words): return json.loads(call(*script("torch_finetune.py", *words)).splitlines()[-1])

    def cambium(self, *words, status=0):
        return json.loads(call(self.bench.sides[0].path("cambium"), *words, "--store", self.store, "--json", status=status))

    def train(self):
        self.say(f"training a base, {self.steps[0]} steps")
        self.torch("train", f"{self.models}/base", self.steps[0], 1, *(self.text(name, "train") for name in OLD))
        chosen = {}
        for seed, name in enumerate(NEW, 2):
            self.say(f"fine-tuning on {name}, {self.steps[1]} steps")
            chosen[name] = self.torch("tune", f"{self.models}/base", f"{self.models}/{name}", self.steps[1], seed, 4,
                                      self.text(OLD[0], "train"), self.text(name, "train"))["experts"]
        self.torch("mean", f"{self.models}/average", *(f"{self.models}/{name}" for name in NEW))
        self.torch("narrow", f"{self.models}/base", f"{self.models}/bf16")
        tuned = [number for layer in chosen[NEW[0]] for number in layer]
        self.donor = max(sorted(set(tuned)), key=tuned.count)
        both = sum(len(set(left) & set(right)) for left, right in zip(*chosen.values()))
        self.note("merge", "experts that both fine-tunes changed", both, "count", by="transformers")

    def commit(self):
        self.bench.sides[0].cambium("init", self.store)
        self.cambium("commit", f"{self.models}/base", "-m", "base")
        for name in (*NEW, "average", "bf16"):
            self.cambium("branch", name, "main")
            self.cambium("commit", f"{self.models}/{name}", "-m", name, "--branch", name)

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
        names = ["main", *NEW, "average", *(f"merged-{policy}" for policy in POLICIES)]
        texts = [*NEW, OLD[0]]
        # All texts are called test.txt: the order of the rows tells them apart.
        answer = self.cambium("eval", *names, "--text", *(self.text(name, "test") for name in texts), "--limit",
                              "8k" if self.bench.quick else "all")
        bits = {}
        for row in answer["rows"]:
            bits[row["revision"], row["text"].split("/")[-2]] = row["bitsPerByte"]
        for name in names:
            for text in texts:
                value, against, goal = bits[name, text], None, None
                if name.startswith("merged-"):
                    against = ("plain average", bits["average", text])
                elif name != "main":
                    against = ("base", bits["main", text])
                if name == "merged-mean" and text in NEW:
                    against, goal = ("base", bits["main", text]), at_most(1, "< base")
                self.note("bits", f"{name} on {text}", value, "bits/byte", against=against, goal=goal,
                          by="plain average" if name == "average" else "cambium")

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


def run(bench):
    tunes = FineTunes(bench)
    for action in (tunes.train, tunes.commit, tunes.merge, tunes.measure, tunes.share, tunes.grow): action()


TARGET = Target(
    "finetunes", "Two fine-tunes of a tiny OLMoE, merged by Cambium and by averaging; and what the models share.", run,
    ("cambium",), peers=dataclasses.replace(TRANSFORMERS, needed=True), options={"data": STREAM},
    quick="a few steps, nothing judged")
