"""Routing and running experts: a PEER layer of a million experts, cold starts, generation, router kinds.

Beside PyTorch's usual and fastest forms and floors of the same machine in the same run. All answers
are compared before anything is timed; after a wrong one the exit code is 1, after a slow one it is not.

    tools/bench inference [--quick] [--peers] [--only CASE,...] [--json FILE] [--dir DIR]
                          [--plots DIR] [--checkpoints DIR] [--data DIR]
"""
import argparse, importlib.util, json, os, shlex, shutil, sys, tempfile, time

import bench_machine
import bench_peers
import inference_cases as cases
import inference_rows
import inference_run as run

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHARED = os.path.join(os.path.dirname(ROOT), "shared")


class Benchmark:
    def __init__(self, args, chosen):
        self.args, self.chosen = args, chosen
        self.program, self.command = os.environ["CAMBIUM_INFERENCE_BENCHMARK"], os.environ["CAMBIUM"]
        self.records, self.failures, self.remarks = [], [], []
        self.torch = (args.peers or not args.quick) and importlib.util.find_spec("torch") is not None
        if not self.torch: self.remarks.append("PyTorch is not measured (see --peers)")

    def say(self, text): print(f"{time.perf_counter() - self.args.start:6.0f} s  {text}", file=sys.stderr)

    def attempt(self, label, action):
        """Later cases run even when one fails; the exit code tells."""
        self.say(label)
        try: self.records += action()
        except bench_peers.Failure as failure:
            self.failures.append(str(failure))
            self.say(f"FAILED: {failure}")

    def layers(self):
        for index, case in enumerate(self.chosen["layer"]):
            # The store and PyTorch's tables.
            if bench_machine.free_memory() < (2.3 if self.torch else 1.2) * case.experts * 2048:
                self.remarks.append(f"{case.label()} is left out: it needs more free memory")
                continue
            self.attempt(f"layer, {case.label()}",
                         lambda: run.layer(self.program, self.args.dir, case, self.torch,
                                           (1, 32) if self.args.quick else cases.BATCHES))
            later = self.chosen["layer"][index + 1:]
            if not any(one.experts == case.experts for one in later):
                shutil.rmtree(f"{self.args.dir}/store-{case.experts}", ignore_errors=True)

    def all(self):
        if "layer" in self.chosen: self.layers()
        for case in self.chosen.get("products", []):
            self.attempt(f"product, {case.label()}", lambda: run.product(self.program, case))
        if "cold" in self.chosen:
            self.attempt("cold start", lambda: run.cold(self.program, self.args.dir, self.chosen["cold"]))
        if "kinds" in self.chosen:
            self.attempt("router kinds", lambda: run.kinds(self.program, self.chosen["kinds"], self.say))
        wanted = [name for name in ("generate", "eval", "recall") if name in self.chosen]
        if not wanted: return
        language = run.Language(self.program, self.command, self.args.dir, self.args, self.torch)
        try:
            for name in wanted:
                self.attempt(name, lambda: getattr(language, name)(self.chosen[name]))
        finally: language.close()


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench inference")
    parser.add_argument("--quick", action="store_true", help="small sizes, under 2 minutes, nothing judged")
    parser.add_argument("--peers", action="store_true", help="first install PyTorch for Python")
    parser.add_argument("--only", default="", help="cases to run, of " + ",".join(cases.NAMES))
    parser.add_argument("--json", default=os.path.join(ROOT, ".build/bench/inference.json"))
    parser.add_argument("--dir", default=os.path.join(ROOT, ".build/bench/work"),
                        help="scratch directory, on the disk that is to be measured")
    parser.add_argument("--plots", help="folder of the plot (full: docs/benchmarks)")
    shared = os.path.join(SHARED, "checkpoints/peer-lm")
    parser.add_argument("--checkpoints", help="folder with base and PyTorch's model.py in pytorch",
                        default=shared if os.path.isdir(shared) else os.path.join(ROOT, "tools/sample"))
    parser.add_argument("--data", default=os.path.join(SHARED, "data/stream"), help="folder of texts")
    args = parser.parse_args()
    wanted = [name for name in args.only.split(",") if name]
    for name in wanted:
        if name not in cases.NAMES: parser.error(f"there is no case '{name}': {', '.join(cases.NAMES)}")
    args.plots = args.plots or os.path.join(ROOT, ".build/bench" if args.quick else "docs/benchmarks")
    sizes = cases.QUICK if args.quick else cases.FULL
    return args, {name: case for name, case in sizes.items() if not wanted or name in wanted}


def main():
    args, chosen = arguments()
    bench_peers.use_python(args.peers, "requirements-inference.txt", "bench-python-inference")
    args.start = time.perf_counter()
    for name in ("CAMBIUM", "CAMBIUM_INFERENCE_BENCHMARK"):
        if not os.environ.get(name): sys.exit(f"bench: {name} names no program; use tools/bench")
    os.makedirs(args.dir, exist_ok=True)
    needed = 3 * 2048 * max([case.experts for case in chosen.get("layer", [])]
                            + [chosen["cold"]["sub_keys"] ** 2 if "cold" in chosen else 0])
    if shutil.disk_usage(args.dir).free < needed:
        sys.exit(f"bench: {args.dir} needs {needed / 1e9:.0f} GB of free disk; --dir names another place")
    args.dir = tempfile.mkdtemp(prefix="inference-", dir=args.dir)
    benchmark = Benchmark(args, chosen)
    machine = bench_machine.describe(args.dir)
    machine["openblas_coretype"] = os.environ.get("OPENBLAS_CORETYPE")
    try: benchmark.all()
    finally: shutil.rmtree(args.dir, ignore_errors=True)
    machine["load_after"] = os.getloadavg()
    rows = inference_rows.rows(benchmark.records, chosen, not args.quick)
    command = shlex.join(["tools/bench", "inference", *sys.argv[1:]])
    report = {"schema": 1, "benchmark": "inference", "mode": "quick" if args.quick else "full",
              "command": command, "machine": machine, "seconds": time.perf_counter() - args.start,
              "failures": benchmark.failures, "remarks": benchmark.remarks, "rows": rows,
              "records": benchmark.records}
    os.makedirs(os.path.dirname(os.path.abspath(args.json)), exist_ok=True)
    with open(args.json, "w") as file: json.dump(report, file, indent=1)
    routers = [r for r in benchmark.records if r["case"] == "kinds"]
    if routers:
        import inference_plot
        report["remarks"] += inference_plot.draw(routers, args.plots)
    bench_machine.print_rows(report)
    bench_machine.print_end(report)
    sys.exit(1 if benchmark.failures else 0)


if __name__ == "__main__":
    main()
