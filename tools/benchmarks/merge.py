"""Routers solved from evidence: digests over random ways to divide data, the gate, intents, speed.

Answers are compared before they are reported; after a wrong one the exit code is 1, after a missed target it
is not.

    tools/bench merge [--quick] [--only CASE,...] [--json FILE] [--data DIR]
"""
import argparse, json, os, shlex, shutil, subprocess, sys, tempfile, time

import bench_machine

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DATA = os.path.join(os.path.dirname(ROOT), "shared", "data")
CHECKPOINT = os.path.join(os.path.dirname(ROOT), "shared", "checkpoints", "peer-lm", "base")
NAMES = ("digests", "gate", "intents", "policies", "distilled", "million", "gram")
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
# Core types of OpenBLAS and instruction sets of our own kernels; those that a CPU lacks are left out.
CORES = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX")


class Wrong(Exception): pass


def ask(case, words, data, **environment):
    program = os.environ["CAMBIUM_MERGE_BENCHMARK"]
    place = {"digests": "stream", "gate": "stream", "intents": "clinc150.json", "policies": "stream",
             "distilled": "stream"}.get(case)
    if place: words = ["--data", os.path.join(data, place), *words]
    if case in ("policies", "distilled"): words = ["--checkpoint", CHECKPOINT, *words]
    done = subprocess.run([program, case, *words], capture_output=True, text=True,
                          env={**os.environ, **environment})
    if done.returncode != 0: raise Wrong(f"{case}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout else {}


def row(case, what, value, unit, target=None, met=None, by="cambium", against=None, ratio=None):
    return {"case": case, "what": what, "by": by, "value": value, "unit": unit, "target": target, "met": met,
            "against": against, "ratio": ratio}


def digests(words, data, judged):
    first = ask("digests", words, data)
    splits = int(first["splits"])
    rows = [row("digests", f"different {name} of {splits} ways to divide, order and repeat the data",
                first[key], "count", "1" if by == "cambium" else None,
                first[key] == 1 if by == "cambium" else None, by)
            for name, key, by in (("gates", "gate", "cambium"), ("read-outs", "read_out", "cambium"),
                                  ("gates after a drop", "dropped", "cambium"),
                                  ("sums in floats", "float", "comparison"))]
    if any(r["met"] is False for r in rows): raise Wrong(f"more than one router: {first}")
    same, runs = {(first["gate_digest"], first["read_out_digest"])}, []
    few = words[:1] + ["4"] + words[2:]
    for name, extra, environment in (
            [(f"kernels: {v}", ["--variant", v], {}) for v in ("scalar", "avx2", "avx512")]
            + [(f"OpenBLAS: {c}", [], {"OPENBLAS_CORETYPE": c}) for c in CORES]):
        try: found = ask("digests", few + extra, data, **environment)
        except Wrong as wrong:
            if "has no variant" in str(wrong) or "OPENBLAS_CORETYPE" in environment: continue
            raise
        runs.append(name)
        same.add((found["gate_digest"], found["read_out_digest"]))
    rows.append(row("digests", "different routers of " + ", ".join(runs), len(same), "count", "1", len(same) == 1))
    if len(same) != 1: raise Wrong("a CPU variant gives another router")
    return rows


def gate(words, data, judged):
    rows = []
    for order in (3, 5):
        found = ask("gate", words + ["--order", str(order)], data)
        for length, target in ((16, 0.87), (32, 0.86), (64, 0.94), (256, 0.997)):
            value = found[f"right_{length}"]
            goal = judged and order == 5
            rows.append(row("gate", f"order {order}: right one of eight after {length} bytes", value, "share",
                            f"> {target}" if goal else None, value > target if goal else None))
        rows.append(row("gate", f"order {order}: time for a byte", found["microseconds"], "us"))
        rows.append(row("gate", f"order {order}: records of all domains", found["records_bytes"], "bytes"))
    return rows


def intents(words, data, judged):
    found = ask("intents", words, data)
    rows = [row("intents", "accuracy after ten steps", found["accuracy"], "share",
                "≥ 0.88" if judged else None, found["accuracy"] >= 0.88 if judged else None),
            row("intents", "greatest gap to joint training after a step", found["gap"], "share", "0", found["gap"] == 0),
            row("intents", "steps whose router has the bits of joint training", found["equal_steps"], "count"),
            row("intents", "all ten steps and ten joint solutions", found["seconds"], "s",
                "< 60" if judged else None, found["seconds"] < 60 if judged else None)]
    rows.append(row("intents", "λ by the validation split, one for all steps", found["lambda"], ""))
    rows.append(row("intents", "choosing it among nine", found["choosing"], "s"))
    rows.append(row("intents", f"accuracy with the λ that is right most often on that split, {found['lambda_valid']:g}",
                    found["accuracy_valid"], "share"))
    for key, name in (("sgd", "sequential SGD"), ("ewc", "EWC"), ("replay_1", "replay 1 %"),
                      ("replay_5", "replay 5 %"), ("replay_10", "replay 10 %"), ("sgd_joint", "SGD, all data kept")):
        if key in found: rows.append(row("intents", "accuracy after ten steps", found[key], "share", by=name))
    return rows


def policies(words, data, judged):
    found = ask("policies", words, data)
    rows = []
    for key, name in (("evidence", "cambium: united evidence"), ("mean", "mean of the tables"),
                      ("ties", "TIES of the tables"), ("task", "task arithmetic of the tables"),
                      ("alone", "the first branch alone")):
        for side in ("all", "base", "first", "second"):
            for suffix, unit in (("", "a byte"), ("_windows", "64 bytes")):
                rows.append(row("policies", f"{unit}: right on the data of {side}", found[f"{key}_{side}{suffix}"],
                                "share", by=name))
        if key == "alone": continue
        rows.append(row("policies", "different routers of two branches in both orders", found[f"{key}_orders"], "count", by=name))
        rows.append(row("policies", "different routers of four branches one after the other in 24 orders",
                        found[f"{key}_sequences"], "count", "1" if key == "evidence" else None,
                        found[f"{key}_sequences"] == 1 if key == "evidence" else None, name))
    return rows


def distilled(words, data, judged):
    found = ask("distilled", words, data)
    experts, picks = int(found["experts"]), int(found["picks"])
    return [row("distilled", f"first picks of the trained router among the {picks} of {experts} solved from digits",
                found["found"], "share", against="chance"),
            row("distilled", "the same by chance", found["chance"], "share", by="chance"),
            row("distilled", "the solved router's best is a first pick of the trained one", found["first"], "share")]


def million(words, data, judged):
    folder = tempfile.mkdtemp(prefix="merge-", dir=os.path.join(ROOT, ".build"))
    try:
        path = os.path.join(folder, "S")
        ask("million-make", [path, *words], data)
        found = ask("million-merge", [path], data)
    finally: shutil.rmtree(folder, ignore_errors=True)
    what = f"two branches of {int(found['experts'])} experts"
    peak = found["own"] / 2**20
    return [row("million", f"{what}: merge, and solve the router of 2 digits", found["seconds"], "s",
                "≤ 1" if judged else None, found["seconds"] <= 1 if judged else None),
            row("million", "processor time of both threads for it", found["processor"], "s"),
            row("million", "of this the merge of the trees", found["merge"], "s"),
            row("million", "of this reading the evidence, λ and the solution", found["solve"], "s"),
            row("million", "greatest memory of its own (RssAnon)", peak, "MiB",
                "≤ 200" if judged else None, peak <= 200 if judged else None),
            row("million", "the same with the pages of the store that it mapped (VmHWM)", found["mapped"] / 2**20, "MiB"),
            row("million", "evidence of both", found["evidence"] / 2**20, "MiB")]


def gram(words, data, judged):
    found = ask("gram", words, data)
    ratio = found["own"] / found["dsyrk"]
    return [row("gram", "evidence of 100,000 tokens, 512 features" if judged else "evidence", found["own"], "s",
                "≤ 1.5 ×" if judged else None, ratio <= 1.5 if judged else None, against=f"dsyrk {found['dsyrk']:.3g} s",
                ratio=ratio)]


def main():
    parser = argparse.ArgumentParser(prog="tools/bench merge")
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing judged but the answers")
    parser.add_argument("--only", default="", help="cases to run, of " + ",".join(NAMES))
    parser.add_argument("--json", default=os.path.join(ROOT, ".build/bench/merge.json"))
    parser.add_argument("--data", default=DATA, help="folder with stream and clinc150.json")
    args = parser.parse_args()
    wanted = [name for name in args.only.split(",") if name] or list(NAMES)
    for name in wanted:
        if name not in NAMES: parser.error(f"there is no case '{name}': {', '.join(NAMES)}")
    remarks = []
    if not os.path.isdir(os.path.join(args.data, "stream")):
        remarks.append(f"{args.data} has no texts: only the speed is measured")
        wanted = [name for name in wanted if name in ("gram", "million")]
    if not os.path.isdir(CHECKPOINT):
        remarks.append(f"{CHECKPOINT} is absent: what needs its trunk is left out")
        wanted = [name for name in wanted if name not in ("policies", "distilled")]
    start, rows, failures = time.perf_counter(), [], []
    machine = bench_machine.describe(ROOT)
    for name in wanted:
        print(f"{time.perf_counter() - start:6.0f} s  {name}", file=sys.stderr)
        try: rows += globals()[name]((QUICK if args.quick else FULL)[name], args.data, not args.quick)
        except Wrong as wrong: failures.append(str(wrong))
    machine["load_after"] = os.getloadavg()
    command = shlex.join(["tools/bench", "merge", *sys.argv[1:]])
    report = {"schema": 1, "benchmark": "merge", "mode": "quick" if args.quick else "full", "command": command,
              "machine": machine, "seconds": time.perf_counter() - start, "failures": failures,
              "remarks": remarks, "rows": rows}
    os.makedirs(os.path.dirname(os.path.abspath(args.json)), exist_ok=True)
    with open(args.json, "w") as file: json.dump(report, file, indent=1)
    print("\n| case | what | by | value | target | verdict |\n| --- | --- | --- | --- | --- | --- |")
    for r in rows:
        value = f"{100 * r['value']:.2f} %" if r["unit"] == "share" else f"{r['value']:.4g} {'' if r['unit'] == 'count' else r['unit']}".strip()
        if r["ratio"]: value += f", {r['ratio']:.2f} × {r['against']}"
        verdict = "" if r["met"] is None else "met" if r["met"] else "missed"
        print(f"| {r['case']} | {r['what']} | {r['by']} | {value} | {r['target'] or ''} | {verdict} |")
    for text in remarks: print(f"\n{text}")
    for text in failures: print(f"\nWRONG: {text}")
    print(f"\nrepeat with: {command}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
