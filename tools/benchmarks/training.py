"""Training steps: of a trained model's architecture and of a cohort on it.

Beside PyTorch in the same run, in turns; gradients are compared before anything is timed. After a wrong
answer the exit code is 1, after a slow one it is not.

    tools/bench training [--quick] [--peers] [--only CASE,...] [--rounds N] [--threads N] [--json FILE]
"""
import argparse, importlib.util, os, shlex, statistics, sys, tempfile, time

import bench_machine
import bench_peers
from bench_peers import Failure, Program
from storage_records import row

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHARED = os.path.join(os.path.dirname(ROOT), "shared")
NAMES = ("step", "cohort")
# The greatest distance of gradients relative to their length.
TOLERANCE = 1e-2
STEP_TARGET = 2


class Benchmark:
    def __init__(self, args):
        self.args, self.program = args, os.environ["CAMBIUM_TRAINING_BENCHMARK"]
        self.rows, self.failures, self.remarks = [], [], []
        self.torch = (args.peers or not args.quick) and importlib.util.find_spec("torch") is not None
        if not self.torch: self.remarks.append("PyTorch is not measured (see --peers)")

    def ours(self, *words): return Program("cambium", [self.program, *map(str, words)])

    def peer(self, *words):
        script = os.path.join(HERE, "peers", "torch_training.py")
        return Program("PyTorch", [sys.executable, "-W", "ignore", script, *map(str, words)])

    def compare(self, one, two, name, loss):
        """Of files of floats the distance relative to the length."""
        import numpy as np
        a, b = (np.fromfile(path, np.float32).astype(float) for path in (one, two))
        if a.shape != b.shape: raise Failure(f"{name}: {a.size} numbers and {b.size} of PyTorch")
        worst = float(np.linalg.norm(a - b) / np.linalg.norm(b))
        self.rows.append(row("torch", name, "gradients against ours, relative distance", [worst], "share"))
        if not worst < TOLERANCE or not abs(loss[0] - loss[1]) < 1e-4 * loss[1]:
            raise Failure(f"{name}: gradients differ by {worst}, losses are {loss}")

    def step(self, cohort=False):
        name = "step of peer-lm" + (": a full-rank cohort, experts skipped" if cohort else "")
        words = ["--checkpoint", self.args.checkpoint, "--text", self.args.text, "--threads", self.args.threads]
        rounds, steps = (2, 1) if self.args.quick else (self.args.rounds, 4)
        with tempfile.TemporaryDirectory() as folder:
            ours = self.ours("step", *words, *(["--cohort"] if cohort else []))
            other = None
            try:
                if self.torch and not cohort:
                    reference = os.path.join(self.args.checkpoints, "pytorch")
                    other = self.peer("step", "--reference", reference, *words)
                    loss = [side.ask("gradients", f"{folder}/{by}")["loss"]
                            for by, side in (("ours", ours), ("torch", other))]
                    self.compare(f"{folder}/ours", f"{folder}/torch", name, loss)
                found = self.turns({"cambium": ours, "torch": other}, rounds, lambda number: ("time", steps))
            finally:
                ours.close()
                if other: other.close()
        for metric, unit in (("tokens_per_s", "tokens/s"), ("cpu_s_per_step", "s")):
            against = found.get("torch")
            against = against and ("PyTorch", statistics.median(one[metric] for one in against))
            goal = None
            if against and unit == "tokens/s" and not self.args.quick:
                goal = (">=", STEP_TARGET, f"≥ {STEP_TARGET} ×")
            what = "forward, backward, AdamW" + ("" if unit == "tokens/s" else ": processor time of a step")
            self.rows.append(row("cambium", name, what, [one[metric] for one in found["cambium"]],
                                 unit, against, goal))

    def cohort(self): self.step(cohort=True)

    def turns(self, sides, rounds, words):
        found = {}
        for number in range(rounds + 1):
            for by, side in sides.items():
                if side is None: continue
                value = side.ask(*words(number))
                if number: found.setdefault(by, []).append(value)
        return found

    def all(self, wanted):
        actions = {"step": self.step, "cohort": self.cohort}
        for name in wanted:
            print(f"{time.perf_counter() - self.args.start:6.0f} s  {name}", file=sys.stderr)
            try: actions[name]()
            except Failure as failure: self.failures.append(str(failure))


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench training")
    parser.add_argument("--quick", action="store_true", help="small sizes, under 2 minutes, nothing judged")
    parser.add_argument("--peers", action="store_true", help="first install PyTorch for Python")
    parser.add_argument("--only", default="", help="cases to run, of " + ",".join(NAMES))
    parser.add_argument("--rounds", type=int, default=9, help="in each of which both sides take a turn")
    parser.add_argument("--threads", type=int, default=2, help="of both sides")
    parser.add_argument("--json", default=os.path.join(ROOT, ".build/bench/training.json"))
    shared = os.path.join(SHARED, "checkpoints/peer-lm")
    parser.add_argument("--checkpoints", help="folder with base and PyTorch's model.py in pytorch",
                        default=shared if os.path.isdir(shared) else os.path.join(ROOT, "tools/sample"))
    parser.add_argument("--data", default=os.path.join(SHARED, "data/stream"), help="folder of texts")
    args = parser.parse_args()
    wanted = [name for name in args.only.split(",") if name] or list(NAMES)
    for name in wanted:
        if name not in NAMES: parser.error(f"there is no case '{name}': {', '.join(NAMES)}")
    args.checkpoint = os.path.join(args.checkpoints, "base")
    args.text = os.path.join(args.data, "gsm8k/train.txt")
    for path in (args.checkpoint, args.text):
        if not os.path.exists(path): sys.exit(f"bench: {path} is missing; see --checkpoints and --data")
    return args, wanted


def main():
    args, wanted = arguments()
    bench_peers.use_python(args.peers, "requirements-inference.txt", "bench-python-inference")
    args.start = time.perf_counter()
    if not os.environ.get("CAMBIUM_TRAINING_BENCHMARK"):
        sys.exit("bench: CAMBIUM_TRAINING_BENCHMARK names no program; use tools/bench")
    benchmark, machine = Benchmark(args), bench_machine.describe(ROOT)
    benchmark.all(wanted)
    machine["load_after"] = os.getloadavg()
    report = {"schema": 1, "benchmark": "training", "mode": "quick" if args.quick else "full",
              "command": shlex.join(["tools/bench", "training", *sys.argv[1:]]), "machine": machine,
              "seconds": time.perf_counter() - args.start, "failures": benchmark.failures,
              "remarks": benchmark.remarks, "rows": benchmark.rows}
    bench_machine.finish(report, args.json)


if __name__ == "__main__":
    main()
