"""Routing and running experts, beside PyTorch's usual and fastest forms and floors of the same machine."""
import dataclasses, itertools

from harness import plots
from harness.bench import CHECKPOINTS, STREAM, TORCH, Target, turns
from harness.machine import free_memory
from harness.programs import folder
from harness.report import at_least, at_most
from targets import inference_language as language, inference_layer as layer

MILLION = 1 << 20
KINDS = ("linear", "productKey", "productKeyInt8", "tree")
SHAPES = (("query", 2048, 256), ("sub-keys", 1024, 128), ("peer-lm attention", 128, 128),
          ("peer-lm up", 256, 128), ("peer-lm down", 128, 256), ("peer-lm head", 256, 128))


@dataclasses.dataclass(frozen=True)
class Product:
    """out[tokens, rows] = x[tokens, columns] W^T."""
    what: str
    tokens: int
    rows: int
    columns: int
    rounds: int = 9

    def label(self): return f"{self.what}, {self.tokens} x {self.columns} x {self.rows}"

    def count(self):
        """Repetitions that take some milliseconds."""
        return max(1, int(2e8 / (self.tokens * self.rows * self.columns)))


FULL = {
    "layer": [layer.Layer(first, second, sets, 9) for first, second in
              ((1024, 1024), (512, 256), (2048, 2048)) for sets in (8, 1)],
    "products": [Product(what, tokens, rows, columns) for what, rows, columns in SHAPES for tokens in layer.BATCHES],
    "cold": {"sub_keys": 1024, "tokens": (1, 100, 10_000), "rounds": 3,
             "limits": (100 << 20, 400 << 20), "limit_tokens": 10_000},
    "kinds": {"bits": tuple(range(14, 23)), "linear_bits": 18, "rounds": 7, "batches": (1, 512)},
    "generate": {"count": 128, "batches": (1, 16), "rounds": 5},
    "eval": {"bytes": 1_000_000, "rounds": 2, "peer_batches": (1, 16)},
    "recall": {"bytes": 50_000},
}

QUICK = {
    "layer": [layer.Layer(128, 128, sets, 3) for sets in (8, 1)],
    "products": [Product(what, 32, rows, columns, 3) for what, rows, columns in SHAPES[:2]],
    "cold": {"sub_keys": 64, "tokens": (1, 100), "rounds": 1, "limits": (64 << 20,), "limit_tokens": 100},
    "kinds": {"bits": (14, 15), "linear_bits": 14, "rounds": 3, "batches": (1, 32)},
    "generate": {"count": 32, "batches": (1, 4), "rounds": 2},
    "eval": {"bytes": 20_000, "rounds": 1, "peer_batches": (1,)},
    "recall": {"bytes": 2_000},
}


def sizes(bench): return {case: (QUICK if bench.quick else FULL)[case] for case in bench.cases}


def layers(bench, chosen):
    for experts, cases in itertools.groupby(chosen, lambda case: case.experts):
        # Cases of as many experts share a store.
        with folder(bench.args.dir, "layer") as place:
            for case in cases:
                # The stores and PyTorch's tables.
                if free_memory() < (1.2 * len(bench.sides) + 1.1 * bench.has_peers) * experts * 2048:
                    bench.remarks.append(f"{case.label()} is left out: it needs more free memory")
                else: bench.attempt(f"layer, {case.label()}", layer.measure, bench, case, place)


def products(bench, chosen):
    for case in chosen: bench.attempt(f"product, {case.label()}", product, bench, case)


def product(bench, case):
    words = ["product", "--tokens", case.tokens, "--rows", case.rows, "--columns", case.columns]
    programs = {side.name: side.start("inference-benchmark", *words) for side in bench.sides}
    try: found = turns(case.rounds, {by: lambda _, one=one: one.ask("time", case.count()) for by, one in programs.items()})
    finally:
        for one in programs.values(): one.close()
    for by, answers in found.items():
        blas = bench.median("OpenBLAS", [answer["openblas"] for answer in answers])
        for name, what in (("own", "own kernel"), ("int8", "int8")):
            bench.note(case.label(), what, [answer[name] for answer in answers], "GFLOP/s", by=by, against=blas,
                       goal=at_least(0.7) if name == "own" and by == "cambium" else None)


def cold(bench, case):
    bench.attempt("cold start", lambda: [cold_of(side, bench, case) for side in bench.sides])


def cold_of(side, bench, case):
    with folder(bench.args.dir, "cold") as place:
        store, by = f"{place}/store", side.name
        with side.start("inference-benchmark", "cold-store", "--store", store, "--sub-keys", case["sub_keys"]) as made:
            trunk = made.ready["trunk_bytes"]

        def runs(tokens, *words):
            answers = []
            for _ in range(case["rounds"]):
                with side.start("inference-benchmark", "cold", "--store", store, "--tokens", tokens, "--trunk-bytes",
                                trunk, *words) as one: answers.append(one.ready)
            return {name: [answer[name] for answer in answers] for name in answers[0]}

        for tokens in case["tokens"]:
            found, title = runs(tokens), f"{tokens:,} tokens, empty page cache"
            bench.note(title, "bytes read", found["read_bytes"], "bytes", by=by,
                       against=bench.median("used", found["used_bytes"]), goal=at_most(1.3))
            bench.note(title, "bytes read", found["read_bytes"], "bytes", by=by,
                       against=bench.median("pages used", found["page_bytes"]))
            for metric, what, unit in (("open_bytes", "of these to open", "bytes"), ("open_seconds", "open", "s"),
                                       ("run_seconds", "run", "s"), ("anonymous_bytes", "RssAnon", "bytes"),
                                       ("file_bytes", "RssFile", "bytes")):
                bench.note(title, what, found[metric], unit, by=by)
        free = bench.median("no limit", found["run_seconds"])
        for limit in case["limits"]:
            tokens, title = case["limit_tokens"], f"{case['limit_tokens']:,} tokens within {limit >> 20} MiB, empty page cache"
            found = runs(tokens, "--limit", limit)
            bench.note(title, "peak of resident memory", found["peak_bytes"], "bytes", by=by,
                       against=("the limit", limit), goal=at_most(1.0))
            bench.note(title, "run", found["run_seconds"], "s", by=by, against=free)


def kinds(bench, case):
    bench.attempt("router kinds", every_kind, bench, case)


def every_kind(bench, case):
    points = []
    for bits in case["bits"]:
        for kind in KINDS:
            if kind == "linear" and bits > case["linear_bits"]: continue
            bench.say(f"{kind}, N = 2^{bits}")
            programs = {side.name: side.start("inference-benchmark", "kind", "--kind", kind, "--experts", 1 << bits)
                        for side in bench.sides}
            try:
                for batch in case["batches"]:
                    # Fewer tokens where a token takes milliseconds.
                    count = max(batch, 64 if kind != "linear" or bits < 17 else 8)
                    found = turns(case["rounds"], {by: lambda number, one=one: one.ask(
                        "time", batch, count, number * count % 512)["us"] for by, one in programs.items()})
                    for by, values in found.items():
                        bench.note(f"{kind}, N = 2^{bits}", f"B = {batch}: route", values, "us", by=by)
                    points.append((kind, batch, 1 << bits, found["cambium"]))
            finally:
                for one in programs.values(): one.close()
    if len(bench.sides) < 2: bench.remarks += plots.routers(points, bench.plots)


def run(bench):
    chosen = sizes(bench)
    for name, action in (("layer", layers), ("products", products), ("cold", cold), ("kinds", kinds)):
        if name in chosen: action(bench, chosen.pop(name))
    if chosen: language.run(bench, chosen)


def disk(bench):
    chosen = sizes(bench)
    return 3 * 2048 * max([case.experts for case in chosen.get("layer", [])]
                          + [chosen["cold"]["sub_keys"] ** 2 if "cold" in chosen else 0])


TARGET = Target(
    "inference", "Routing and running experts: a PEER layer of a million experts, cold starts, generation, router kinds.",
    run, ("cambium", "inference-benchmark"), cases=tuple(FULL), groups={"language": ("generate", "eval", "recall")},
    peers=TORCH, compares=True, disk=disk,
    options={"plots": None, "checkpoints": CHECKPOINTS, "data": STREAM}, optional=("data",))
