"""A million experts: what a commit, an import, an open, a diff, a merge and a collection cost.

Beside TensorStore OCDBT, python-lmdb, copies in safetensors, and floors of the same machine in the
same run. All experts are read back and compared before anything is timed; after a wrong answer
the exit code is 1, after a slow one it is not.

    tools/bench storage [--quick] [--peers] [--only CASE,...] [--without-cambium] [--json FILE]
                        [--dir DIR] [--plots DIR]
"""
import argparse, contextlib, json, os, shlex, shutil, sys, tempfile, time

import bench_machine
import bench_peers
import storage_floors as floors
import storage_records
import storage_run as run
import storage_tables
import storage_targets
from storage_cases import FULL, NAMES, QUICK

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Benchmark:
    def __init__(self, args, cases):
        self.args, self.cases = args, cases
        self.program = None if args.without_cambium else os.environ.get("CAMBIUM_STORAGE_BENCHMARK")
        self.records, self.failures, self.remarks = [], [], []
        self.interleaved = None

    def say(self, text): print(f"{time.perf_counter() - self.args.start:6.0f} s  {text}", file=sys.stderr)

    def attempt(self, label, action):
        """Later cases run even when one fails; the exit code tells."""
        self.say(label)
        try: return action()
        except run.Failure as failure:
            self.failures.append(str(failure))
            self.say(f"FAILED: {failure}")

    def cambium(self, case, between_rounds=None):
        if not self.program: return
        records, paced = run.cambium(self.program, case, self.args.dir, self.args.quick, between_rounds)
        self.records += records
        if between_rounds: self.interleaved = paced and self.interleaved is not False

    def usable(self, name, case):
        reason = run.lacks(name, case.experts, case.size)
        remark = f"{name} is not measured: {reason}"
        if reason and remark not in self.remarks: self.remarks.append(remark)
        return not reason

    def commits(self, group):
        """Cambium and OCDBT take turns, round by round; then the other peers, one at a time."""
        first, opened = group[0], []
        place = (self.args.dir, first.experts, first.size, self.args.quick)
        with contextlib.ExitStack() as stack:
            for name in ("ocdbt", "ocdbt-64k"):
                if self.usable(name, first):
                    self.say(f"{name}: import and check of {first.label()}")
                    opened.append(stack.enter_context(run.peer(name, *place)))
            for case in group:
                self.records.append(floors.commit(self.args.dir, case))
                self.attempt(f"commit {case.label()}", lambda: self.turns(case, opened))
        for one in opened: self.records += one.records()
        for name, rounds in (("lmdb", 5), ("safetensors", 3)):
            if self.usable(name, first):
                self.attempt(f"{name}: commit", lambda: self.alone(name, place, group, rounds))

    def turns(self, case, opened):
        done = 0

        def between_rounds():
            nonlocal done
            if done < case.rounds:
                for one in opened: one.commit(case.changes)
            done += 1

        try: self.cambium(case, between_rounds if opened else None)
        finally:
            while done < case.rounds: between_rounds()

    def alone(self, name, place, group, most):
        with run.peer(name, *place) as one:
            for case in group:
                for _ in range(min(case.rounds, most)): one.commit(case.changes)
        self.records += one.records()

    def bulk(self, name, cases):
        first = cases[0]
        before = floors.bulk(self.args.dir, first.experts, first.size, 2)
        for case in cases: self.attempt(f"{case.name} {case.label()}", lambda: self.cambium(case))
        after = floors.bulk(self.args.dir, first.experts, first.size, 1)
        for one, two in zip(before, after): one["values"] += two["values"]
        self.records += before

    def all(self):
        groups = {}
        for case in self.cases:
            key = case.name
            if key == "commit": key = ("commit", case.experts)
            if key in ("import", "export"): key = ("bulk", case.experts)
            groups.setdefault(key, []).append(case)
        for key, group in groups.items():
            if key[0] == "commit":
                self.attempt(f"commits at {group[0].label()}", lambda: self.commits(group))
            elif key[0] == "bulk": self.bulk(key, group)
            elif self.program:
                for case in group:
                    self.attempt(f"{case.name} {case.label()}", lambda: self.cambium(case))


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench storage")
    parser.add_argument("--quick", action="store_true", help="small sizes, under 2 minutes, nothing judged")
    parser.add_argument("--peers", action="store_true", help="first install the peers for Python")
    parser.add_argument("--only", default="", help="cases to run, of " + ",".join(NAMES))
    parser.add_argument("--without-cambium", action="store_true", help="peers and floors only")
    parser.add_argument("--json", default=os.path.join(ROOT, ".build/bench/storage.json"))
    parser.add_argument("--dir", default=os.path.join(ROOT, ".build/bench/work"),
                        help="scratch directory, on the disk that is to be measured")
    parser.add_argument("--plots", help="folder of the growth plot (full: docs/benchmarks)")
    args = parser.parse_args()
    wanted = [name for name in args.only.split(",") if name]
    for name in wanted:
        if name not in NAMES: parser.error(f"there is no case '{name}': {', '.join(NAMES)}")
    args.plots = args.plots or os.path.join(ROOT, ".build/bench" if args.quick else "docs/benchmarks")
    cases = [case for case in (QUICK if args.quick else FULL) if not wanted or case.name in wanted]
    return args, cases


def main():
    args, cases = arguments()
    bench_peers.use_python(args.peers)
    args.start = time.perf_counter()
    if not (args.without_cambium or os.environ.get("CAMBIUM_STORAGE_BENCHMARK")):
        sys.exit("bench: CAMBIUM_STORAGE_BENCHMARK names no program; --without-cambium runs the rest")
    os.makedirs(args.dir, exist_ok=True)
    needed = max(6 * case.experts * case.size for case in cases)
    if shutil.disk_usage(args.dir).free < needed:
        sys.exit(f"bench: {args.dir} needs {needed / 1e9:.0f} GB of free disk; --dir names another place")
    args.dir = tempfile.mkdtemp(prefix="storage-", dir=args.dir)
    benchmark = Benchmark(args, cases)
    machine = bench_machine.describe(args.dir)
    try: benchmark.all()
    finally: shutil.rmtree(args.dir, ignore_errors=True)
    machine["load_after"] = os.getloadavg()
    command = shlex.join(["tools/bench", "storage", *sys.argv[1:]])
    rows = storage_targets.rows(benchmark.records, cases, not args.quick, bool(benchmark.program))
    growth = storage_records.growth(benchmark.records)
    report = {"schema": 1, "benchmark": "storage", "mode": "quick" if args.quick else "full",
              "command": command, "machine": machine, "interleaved": benchmark.interleaved,
              "seconds": time.perf_counter() - args.start, "failures": benchmark.failures,
              "remarks": benchmark.remarks, "rows": rows, "growth": growth,
              "records": benchmark.records}
    os.makedirs(os.path.dirname(os.path.abspath(args.json)), exist_ok=True)
    with open(args.json, "w") as file: json.dump(report, file, indent=1)
    if growth:
        import storage_plot
        report["remarks"] += storage_plot.draw(growth, args.plots)
    storage_tables.show(report)
    sys.exit(1 if benchmark.failures else 0)


if __name__ == "__main__":
    main()
