"""A PEER layer on a mapped store: its router, its experts and both, in turns with PyTorch's forms."""
import dataclasses, os

from harness.bench import turns
from harness.programs import Failure, peer
from harness.report import at_most

BATCHES = (1, 32, 512)
# Tokens of a round, by batch.
COUNTS = {1: 64, 32: 512, 512: 1024}
# Shares of the best PyTorch form, by batch.
TARGETS = {"fp32": {1: 0.35, 32: 0.5, 512: 0.6}, "int8": {1: 0.2, 32: 0.35, 512: 0.45}}
FORMS = {"route": ("einsum", "bmm"), "experts": ("einsum", "bag", "sddmm"), "layer": ("einsum", "bag", "sddmm")}
PARTS = (("route", "fp32"), ("route", "int8"), ("experts", "fp32"), ("layer", "fp32"), ("layer", "int8"))
TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Layer:
    """A PEER layer of first x second experts, width 256, 8 heads, k = 16, half keys of 128."""
    first: int
    second: int
    sets: int
    rounds: int

    @property
    def experts(self): return self.first * self.second

    def label(self):
        keys = "shared" if self.sets == 1 else "per-head"
        return f"N = 2^{self.experts.bit_length() - 1}, {keys} keys"

    def judged(self): return self.experts == 1 << 20 and self.sets > 1


def measure(bench, case, place):
    sizes, title, programs = ("--first", case.first, "--second", case.second, "--sets", case.sets), case.label(), {}
    try:
        for side in bench.sides:
            store = os.path.join(place, side.name)
            os.makedirs(store, exist_ok=True)
            programs[side.name] = one = side.start("inference-benchmark", "layer", "--dir", store, *sizes)
            for name, what in (("difference", "outputs against doubles"), ("int8_recall", "picks that int8 finds too")):
                bench.note(title, what, one.ready[name], "share", by=side.name)
        if bench.has_peers:
            programs["torch"] = peer("PyTorch", "torch_layer.py", *sizes)
            compare(bench, case, programs, place)
        ours = programs["cambium"]
        stream = [ours.ask("floor", "stream")["gb_per_s"] for _ in range(4)][1:]
        bench.note(title, "stream of the mapped file", stream, "GB/s", by="floor")
        for batch in (1, 32) if bench.quick else BATCHES: measure_batch(bench, case, programs, batch)
    finally:
        for one in programs.values(): one.close()


def compare(bench, case, programs, place, tokens=512):
    """Greatest difference of the outputs relative to the greatest, and the tokens whose experts differ."""
    import numpy as np
    programs["cambium"].ask("answer", "fp32", tokens, f"{place}/ours")
    programs["torch"].ask("answer", tokens, f"{place}/torch")
    ids = [np.fromfile(f"{place}/{name}.ids", dtype=np.uint32).reshape(-1, 8, 16) for name in ("ours", "torch")]
    outs = [np.fromfile(f"{place}/{name}.out", dtype=np.float32) for name in ("ours", "torch")]
    if ids[0].shape != ids[1].shape or outs[0].shape != outs[1].shape:
        raise Failure("Cambium and PyTorch answered for different tokens")
    other = (np.sort(ids[0]) != np.sort(ids[1])).any(axis=-1)
    differing, same = int(other.sum()), ~other.any(axis=1)
    one, two = (out.reshape(len(ids[0]), -1)[same] for out in outs)
    difference = float(np.abs(one - two).max() / np.abs(two).max())
    bench.note(case.label(), "PyTorch's outputs against ours", difference, "share", by="torch")
    bench.note(case.label(), "heads of 4,096 with other experts", differing, "count", by="torch")
    # Ties of sums that are rounded in another order: a head in a thousand at most.
    if difference > TOLERANCE or differing > tokens * 8 // 1000 + 1:
        raise Failure(f"{case.label()}: PyTorch's outputs differ by {difference}, "
                      f"its picks in {differing} of {tokens * 8} heads")


def measure_batch(bench, case, programs, batch):
    count, actions = COUNTS[batch], {}

    def timed(by, part, form):
        # Every round goes on with tokens that the ones before did not use.
        actions[by, part, form] = lambda number: programs[by].ask(
            "time", part, form, batch, count, number * count % 7168)["us"]

    for part, router in PARTS:
        for side in bench.sides: timed(side.name, part, router)
    actions["floor"] = lambda _: programs["cambium"].ask("floor", "rows", max(count, 256))["us"]
    if bench.has_peers:
        for part, forms in FORMS.items():
            for form in forms: timed("torch", part, form)
    found = turns(case.rounds, actions)
    floor = bench.median("random rows", found["floor"])
    for part, router in PARTS:
        peers = {form: bench.median(f"PyTorch {form}", found.get(("torch", part, form))) for form in FORMS[part]}
        best = min(filter(None, peers.values()), key=lambda one: one[1], default=None)
        for by in (side.name for side in bench.sides):
            def note(against, goal=None):
                bench.note(case.label(), f"B = {batch}: " + (part if part == "experts" else f"{part}, {router}"),
                           found[by, part, router], "us", by=by, against=against,
                           goal=goal if case.judged() and by == "cambium" else None)

            if best or part != "experts": note(best, at_most(TARGETS[router][batch]) if part == "layer" else None)
            if best and peers["einsum"] != best: note(peers["einsum"])
            if part == "experts": note(floor, at_most(1.3))
