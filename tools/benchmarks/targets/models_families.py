"""A random model of each family that Cambium runs: several texts at once, beside transformers.

Families and their configs are in peers/torch_families.py, which makes the models.
"""
import json

from harness.bench import turns
from harness.programs import Failure, folder, peer
from targets.models_answers import alike, difference, joined, logits
from targets.models_make import tokenizer

FULL = {"layers": 4, "hidden": 512, "inner": 128, "experts": 32, "top_k": 4, "heads": 8, "vocabulary": 8192}
QUICK = {"layers": 4, "hidden": 64, "inner": 32, "experts": 8, "top_k": 2, "heads": 4, "vocabulary": 512}
TEXTS = (1, 4, 16)
THREADS = 2
# Of the logits' standard deviation.
TOLERANCE = 2e-4


def same(bench, name, programs, prompt, count):
    """Holds logits of a prompt, and the greedy text behind it, against those of transformers."""
    def check(text):
        found = difference(*(logits(f"{bench.args.dir}/{by}.f32", lambda path: one.ask("logits", joined(text), path))
                             for by, one in programs.items()))
        if not found <= TOLERANCE:
            raise Failure(f"logits of {len(text)} tokens differ by {found} of their standard deviation")
        return found

    bench.note(name, "logits against ours, of their deviation", check(prompt), "share", by="transformers")
    mine, theirs = (one.ask("decode", joined(prompt), count, THREADS)["tokens"] for one in programs.values())
    equal = alike(mine, theirs)
    bench.note(name, f"greedy tokens alike, of {count}", equal, "count", by="transformers")
    # Where both sides' logits are the same and their choices are not, two tokens are as good as each other.
    if equal < count: check(prompt + mine[:equal])


def measure(bench, name, theirs, size, count, rounds):
    side, prompt = bench.sides[0], [(1 + 37 * at) % size["vocabulary"] for at in range(16)]
    with folder(bench.args.dir, "family") as place:
        store = "--store", f"{place}/store"
        theirs.ask("make", name, f"{place}/model")
        with open(f"{place}/model/tokenizer.json", "w") as file: json.dump(tokenizer(size["vocabulary"]), file)
        side.cambium("init", f"{place}/store")
        side.cambium("commit", f"{place}/model", "-m", name, *store)
        with side.start("models-benchmark", "serve", *store, "--revision", "main") as ours:
            programs = {"cambium": ours, "transformers": theirs}
            same(bench, name, programs, prompt, count)
            found = turns(rounds, {
                (by, texts): lambda _, one=one, texts=texts: one.ask("together", joined(prompt), texts, count, THREADS)
                for texts in TEXTS for by, one in programs.items()}, warm=not bench.quick)
    for texts in TEXTS:
        values = {by: [answer["tokens_per_s"] for answer in found[by, texts]] for by in programs}
        what = "1 text" if texts == 1 else f"{texts} texts at once"
        bench.note(name, what, values["transformers"], "tokens/s", by="transformers")
        bench.note(name, what, values["cambium"], "tokens/s", against=bench.median("transformers", values["transformers"]))


class Library:
    """transformers in a process of its own, which tells errors instead of ending by them."""

    def __init__(self, size): self.program = peer("transformers", "torch_families.py", json.dumps(size))

    @property
    def families(self): return self.program.ready["families"]

    def ask(self, *words):
        answer = self.program.ask(*words)
        if "error" in answer: raise Failure(f"transformers: '{words[0]}': {answer['error']}")
        return answer

    def __enter__(self): return self

    def __exit__(self, *_): self.program.close()


def beside_transformers(bench):
    size, quick = QUICK if bench.quick else FULL, bench.quick
    count, rounds = bench.args.count or (4 if quick else 32), bench.args.rounds or (1 if quick else 3)

    def one(name):
        try: measure(bench, name, theirs, size, count, rounds)
        except Failure as failure: raise Failure(f"{name}: {failure}")

    with Library(size) as theirs:
        for name in theirs.families: bench.attempt(f"family {name}", one, name)
