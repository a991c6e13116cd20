"""Routers solved from evidence: digests over random ways to divide data, the gate, intents, policies, speed."""
import json, os

from harness.bench import SHARED, TRAINED, Target
from harness.programs import Failure, folder, run as call
from harness.report import at_least, at_most

CHECKPOINT = os.path.join(TRAINED, "base")
FULL = {
    "digests": ["--splits", "200"],
    "gate": ["--train", "900000", "--test", "50000"],
    "intents": ["--width", "2048"],
    "policies": [],
    "distilled": [],
    "million": ["--side", "1024", "--width", "128", "--tokens", "100000"],
    "gram": ["--tokens", "100000", "--width", "512"],
}
QUICK = {
    "digests": ["--splits", "20", "--bytes", "2000"],
    "gate": ["--train", "50000", "--test", "5000"],
    "intents": ["--width", "256", "--peers", "0"],
    "policies": ["--train", "4096", "--test", "1024"],
    "distilled": ["--train", "4096", "--test", "1024"],
    "million": ["--side", "64", "--width", "32", "--tokens", "10000", "--changes", "50"],
    "gram": ["--tokens", "5000", "--width", "128", "--rounds", "1"],
}
PLACES = {"digests": "stream", "gate": "stream", "intents": "clinc150.json", "policies": "stream", "distilled": "stream"}
# Core types of OpenBLAS and instruction sets of our own kernels; those that a CPU lacks are left out.
CORES = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX")
ONE = at_most(1, "1", "value")


class Merge:
    def __init__(self, bench): self.bench, self.program = bench, bench.sides[0].path("merge-benchmark")

    def ask(self, case, words, **environment):
        if case in PLACES: words = ["--data", os.path.join(self.bench.args.data, PLACES[case]), *words]
        if case in ("policies", "distilled"): words = ["--checkpoint", CHECKPOINT, *words]
        printed = call(self.program, case, *words, environment=environment)
        return json.loads(printed) if printed else {}

    def note(self, *what, unit="count", **more): self.bench.note(*what, unit, **more)

    def digests(self, words):
        first = self.ask("digests", words)
        for name, key, by in (("gates", "gate", "cambium"), ("read-outs", "read_out", "cambium"),
                              ("gates after a drop", "dropped", "cambium"), ("sums in floats", "float", "comparison")):
            self.note("digests", f"different {name} of {int(first['splits'])} ways to divide, order and repeat the data",
                      first[key], by=by, goal=ONE if by == "cambium" else None)
            if by == "cambium" and first[key] != 1: raise Failure(f"more than one router: {first}")
        same, runs = {(first["gate_digest"], first["read_out_digest"])}, []
        few = words[:1] + ["4"] + words[2:]
        for name, extra, environment in (
                *((f"kernels: {v}", ["--variant", v], {}) for v in ("scalar", "avx2", "avx512")),
                *((f"OpenBLAS: {c}", [], {"OPENBLAS_CORETYPE": c}) for c in CORES)):
            try: found = self.ask("digests", few + extra, **environment)
            except Failure as failure:
                if "has no variant" in str(failure) or environment: continue
                raise
            runs.append(name)
            same.add((found["gate_digest"], found["read_out_digest"]))
        self.note("digests", "different routers of " + ", ".join(runs), len(same), goal=ONE)
        if len(same) != 1: raise Failure("a CPU variant gives another router")

    def gate(self, words):
        for order in (3, 5):
            found = self.ask("gate", words + ["--order", str(order)])
            for length, least in ((16, 0.87), (32, 0.86), (64, 0.94), (256, 0.997)):
                self.note("gate", f"order {order}: right one of eight after {length} bytes", found[f"right_{length}"],
                          unit="share", goal=at_least(least, f"> {least}", "value") if order == 5 else None)
            self.note("gate", f"order {order}: time for a byte", found["microseconds"], unit="us")
            self.note("gate", f"order {order}: records of all domains", found["records_bytes"], unit="bytes")

    def intents(self, words):
        found = self.ask("intents", words)
        for key, what, unit, goal in (
                ("accuracy", "accuracy after ten steps", "share", at_least(0.88, "≥ 0.88", "value")),
                ("gap", "greatest gap to joint training after a step", "share", at_most(0, "0", "value")),
                ("equal_steps", "steps whose router has the bits of joint training", "count", None),
                ("seconds", "all ten steps and ten joint solutions", "s", at_most(60, "< 60 s", "value")),
                ("lambda", "λ by the validation split, one for all steps", "share", None),
                ("choosing", "choosing it among nine", "s", None),
                ("accuracy_valid", "accuracy with the λ that is right most often on that split, "
                                   f"{found['lambda_valid']:g}", "share", None)):
            self.note("intents", what, found[key], unit=unit, goal=goal)
        for key, name in (("sgd", "sequential SGD"), ("ewc", "EWC"), ("replay_1", "replay 1 %"),
                          ("replay_5", "replay 5 %"), ("replay_10", "replay 10 %"), ("sgd_joint", "SGD, all data kept")):
            self.note("intents", "accuracy after ten steps", found.get(key), unit="share", by=name)

    def policies(self, words):
        found = self.ask("policies", words)
        for key, by in (("evidence", "cambium: united evidence"), ("mean", "mean of the tables"),
                        ("ties", "TIES of the tables"), ("task", "task arithmetic of the tables"),
                        ("alone", "the first branch alone")):
            for side in ("all", "base", "first", "second"):
                for suffix, unit in (("", "a byte"), ("_windows", "64 bytes")):
                    self.note("policies", f"{unit}: right on the data of {side}", found[f"{key}_{side}{suffix}"],
                              unit="share", by=by)
            if key == "alone": continue
            self.note("policies", "different routers of two branches in both orders", found[f"{key}_orders"], by=by)
            self.note("policies", "different routers of four branches one after the other in 24 orders",
                      found[f"{key}_sequences"], by=by, goal=ONE if key == "evidence" else None)

    def distilled(self, words):
        found = self.ask("distilled", words)
        self.note("distilled", f"first picks of the trained router among the {int(found['topK'])} of "
                  f"{int(found['experts'])} solved from digits", found["found"], unit="share",
                  against=("chance", found["chance"]))
        self.note("distilled", "the solved router's best is a first pick of the trained one", found["first"], unit="share")

    def million(self, words):
        with folder(self.bench.args.dir, "million") as place:
            self.ask("million-make", [f"{place}/S", *words])
            found = self.ask("million-merge", [f"{place}/S"])
        for key, what, unit, goal in (
                ("seconds", f"two branches of {int(found['experts'])} experts: merge, and solve the router of 2 digits", "s",
                 at_most(1, "≤ 1 s", "value")),
                ("processor", "processor time of both threads for it", "s", None),
                ("merge", "of this the merge of the trees", "s", None),
                ("solve", "of this reading the evidence, λ and the solution", "s", None),
                ("own", "greatest memory of its own (RssAnon)", "bytes", at_most(200 << 20, "≤ 200 MiB", "value")),
                ("mapped", "the same with the pages of the store that it mapped (VmHWM)", "bytes", None),
                ("evidence", "evidence of both", "bytes", None)):
            self.note("million", what, found[key], unit=unit, goal=goal)

    def gram(self, words):
        found = self.ask("gram", words)
        self.note("gram", f"evidence of {int(words[1]):,} tokens, {words[3]} features", found["own"], unit="s",
                  against=("dsyrk", found["dsyrk"]), goal=at_most(1.5, "≤ 1.5 ×"))


def run(bench):
    merge, wanted = Merge(bench), bench.cases
    if not os.path.isdir(os.path.join(bench.args.data, "stream")):
        bench.remarks.append(f"{bench.args.data} has no texts: only the speed is measured")
        wanted = [name for name in wanted if name in ("gram", "million")]
    if not os.path.isdir(CHECKPOINT):
        bench.remarks.append(f"{CHECKPOINT} is absent: what needs its trunk is left out")
        wanted = [name for name in wanted if name not in ("policies", "distilled")]
    for name in wanted: bench.attempt(name, getattr(merge, name), (QUICK if bench.quick else FULL)[name])


TARGET = Target(
    "merge", "Routers solved from evidence: digests over random ways to divide data, the gate, intents, speed.", run,
    ("merge-benchmark",), cases=tuple(FULL), optional=("data",),
    options={"data": {"default": os.path.join(SHARED, "data"), "help": "folder with stream and clinc150.json"}})
