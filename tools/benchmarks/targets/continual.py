"""Continual learning on eight domains one after another: adapters on a frozen base beside the baselines.

An adapter must have the same digest in a sequence of rounds and on a branch of its own, and the gate in any order of
its counts.
"""
import json, subprocess

from harness import plots
from harness.bench import SCRATCH, STREAM, Peers, Target
from harness.programs import Failure
from harness.report import print_table

PASSED = ("base", "rate", "windows", "adapter-windows", "adapter-rate", "counts", "ewc", "lwf", "sub-keys",
          "edited-experts", "paces", "orders", "table-size", "row-rate", "adapter-row-rate", "row-bits",
          "row-uses", "model-share")


def measures(result, row):
    """Mean bits per byte after the stream, forgetting (mean and greatest), BWT and FWT in bits.

    Positive BWT and FWT are good; a row of merged branches learns all new domains in one stage.
    """
    stages, base = row["stages"], result["baseDomains"]
    final = stages[-1]
    mean = sum(final) / len(final)
    if len(stages) == 1: return mean, None, None, None, None
    learnt = {d: min(max(0, d - base + 1), len(stages) - 1) for d in range(len(final))}
    earlier = [d for d in range(len(final)) if learnt[d] < len(stages) - 1]
    lost = [final[d] - min(s[d] for s in stages[learnt[d]:]) for d in earlier]
    bwt = sum(stages[learnt[d]][d] - final[d] for d in earlier) / len(earlier)
    new = range(base, len(final))
    fwt = sum(stages[0][d] - stages[learnt[d] - 1][d] for d in new) / len(new)
    return mean, sum(lost) / len(lost), max(lost), bwt, fwt


def has_counts(row): return row["name"].endswith("counts")


def average(values): return None if None in values else sum(values) / len(values)


def spread(values, digits=3):
    """A mean and, of several values, the least and the greatest."""
    text = f"{average(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def table(results):
    """One line for each row, over the runs of all seeds; a run's domains are in its own order."""
    domains = results[0]["domains"]
    # Like with like: rows with counts beside joint rows with counts.
    best = [{} for _ in results]
    for result, least in zip(results, best):
        for row in result["stream"]:
            if row["name"].startswith("joint"):
                key, mean = has_counts(row), measures(result, row)[0]
                least[key] = min(least.get(key, mean), mean)
    lines = []
    for number, row in enumerate(results[0]["stream"]):
        rows = [result["stream"][number] for result in results]
        figures = [measures(result, row) for result, row in zip(results, rows)]
        means, key = [f[0] for f in figures], has_counts(row)
        rest = [average([f[i] for f in figures]) for i in range(1, 5)]
        lines.append([
            row["name"], *(f"{average([r['stages'][-1][d] for r in rows]):.3f}" for d in range(len(domains))),
            spread(means), spread([m / b[key] for m, b in zip(means, best)]) if key in best[0] else "",
            *("" if x is None else f"{x:.3f}" for x in rest),
            "/".join(sorted({f"{r['modelShare']:.1f}" for r in rows if r.get("modelShare") is not None})),
            f"{average([r['parameters'] for r in rows]):,.0f}", f"{row['activeParameters']:,}",
            f"{average([r.get('rows', 0) for r in rows]):,.0f}", f"{average([r['stateBytes'] for r in rows]) / 1e6:.1f}",
            f"{row['replayBytes'] / 1e6:.1f}", f"{average([r['processorSeconds'] for r in rows]):.0f}",
            f"{average([r['steps'] for r in rows]):.0f}"])
    print_table(["row", *domains, "mean", "/ best joint", "forgetting", "worst", "BWT", "FWT", "m", "parameters",
                 "active", "hashed", "state MB", "replay MB", "CPU-s", "steps"], lines)


def alike(result, name):
    digests = result[name]
    same, all = sum(a == b for a, b in zip(digests[::2], digests[1::2])), len(digests) // 2
    return f"{same} of {all}", same == all


def run(bench):
    args = bench.args
    if args.scale: return scale(bench)
    seeds = [int(seed) for seed in args.seeds.split(",")] if args.seeds else [args.seed]
    results = [stream(bench, seed) for seed in seeds]
    result, rows = results[0], results[0]["stream"]
    bench.extra = {**result, "seeds": results[1:]}
    bench.tables = lambda: table(results)
    pairs = {name: [digest for r in results for digest in r[name]] for name in ("adapterDigests", "gateDigests")}
    if pairs["adapterDigests"]:
        adapters, gates = alike(pairs, "adapterDigests"), alike(pairs, "gateDigests")
        bench.remarks.append(f"{adapters[0]} adapters have the same bits one after another and on branches of their own; "
                             f"{gates[0]} gates whichever order their counts were added in")
        if not (adapters[1] and gates[1]): bench.fail("digests differ")
    # Labels and counts have their rows in the table; in the pictures they would hide the others.
    staged = [row for row in rows if len(row["stages"]) == len(result["domains"]) - result["baseDomains"] + 1
              and ("labels" not in row["name"] or row["name"].startswith("LoRA"))
              and (not has_counts(row) or row["name"] in ("Cambium, hashed, counts", "no model, counts"))]
    whole = [row for row in rows if len(row["stages"]) == 1 and (not has_counts(row) or "hashed" in row["name"])]
    bench.remarks += plots.continual(result, staged, whole, SCRATCH)


def scale(bench):
    """Joint training of each kind of experts over how many there are, and over CPU-seconds: tables and a picture.

    A dense model has no experts; product keys have two layers of them, and hashed ones a table for each order.
    """
    args = bench.args
    whole = 3 if bench.quick else args.seconds
    budgets, points = (whole / 4, whole, 4 * whole), []

    def measure(kind, row, seconds, experts, **changed):
        result = stream(bench, args.seed, seconds=seconds, rows=[row], **changed)
        row = result["stream"][0]
        points.append({"kind": kind, "experts": experts, "seconds": 8 * seconds, "steps": row["steps"],
                       "processorSeconds": row["processorSeconds"], "bits": measures(result, row)[0]})

    orders = len((args.orders or "2,3,4,5,6,8").split(","))
    keys, size = int(args.sub_keys or 64), int(args.table_size or 1 << 20)
    for seconds in budgets:
        measure("dense", "jointDense", seconds, 0)
        measure("product keys", "jointPeer", seconds, 2 * keys ** 2)
        measure("hashed", "jointHashed", seconds, orders * size)
    for bits in range(12, 23, 2):
        if 1 << bits == size: continue
        measure("hashed", "jointHashed", budgets[0], orders << bits, table_size=1 << bits)
    for side in (32, 128, 256):
        if side != keys: measure("product keys", "jointPeer", budgets[0], 2 * side ** 2, sub_keys=side)
    bench.extra = {"scale": points}
    bench.tables = lambda: print_table(
        ["experts of kind", "experts", "budget CPU-s", "CPU-s", "steps", "bits"],
        [[p["kind"], f"{p['experts']:,}", f"{p['seconds']:.0f}", f"{p['processorSeconds']:.0f}", str(p["steps"]),
          f"{p['bits']:.3f}"] for p in points])
    bench.remarks += plots.continual_scale(points, SCRATCH)


def stream(bench, seed, **changed):
    """The rows of one seed, behind what they have in common."""
    args = bench.args

    def option(name): return changed.get(name, getattr(args, name))

    words = ["--stream", args.data, "--seed", seed,
             "--seconds", changed.get("seconds", 3 if bench.quick else args.seconds),
             "--bytes", 8000 if bench.quick else args.bytes, "--order", args.order, "--part", args.part]
    for name in PASSED:
        value = option(name.replace("-", "_"))
        if value: words += ["--" + name, value]
    if option("rows"): words += ["--rows", *option("rows")]
    # Its progress goes to standard error.
    done = subprocess.run([bench.sides[0].path("continual-benchmark"), *map(str, words)], stdout=subprocess.PIPE)
    if done.returncode != 0: raise Failure(f"continual-benchmark ended with code {done.returncode}")
    result = json.loads(done.stdout)
    result["stream"] = result.pop("rows")
    return result


TARGET = Target(
    "continual", "Continual learning on eight domains one after another: adapters on a frozen base beside the baselines.",
    run, ("continual-benchmark",),
    peers=Peers("what draws the pictures", None, "requirements-inference.txt", "bench-python-inference"),
    quick="an eighth is 3 CPU-seconds, 8 kB of each test text",
    options={"seconds": {"type": float, "default": 40,
                         "help": "an eighth of all CPU-seconds; the base takes four, the rounds share the others"},
             "order": {"type": int, "default": 0, "help": "order of the new domains: 0, 1 or 2"},
             "part": {"default": "test", "choices": ["test", "valid"], "help": "what is evaluated; choose on valid"},
             **{name: {"help": "see docs/continual.md"} for name in PASSED},
             "rows": {"nargs": "*", "help": "rows to run (cambium cambiumMerged cambiumDense counts sequential jointPeer "
                      "jointDense jointLarge replay1 replay5 replay10 ewc lwf lora neurons swiglu edited hashed hashedMerged "
                      "hashedPacked hashedSmall hashedShared jointHashed)"},
             "scale": {"action": "store_true", "help": "joint training over the number of experts and over CPU-seconds "
                       "(a quarter, once and four times --seconds) instead of the table"},
             "seeds": {"help": "several seeds with commas between them, for means with the least and the greatest"},
             "seed": 1, "bytes": {"type": int, "default": 20_000, "help": "bytes of each text that are evaluated"},
             "data": STREAM})
