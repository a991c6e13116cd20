"""Two fine-tunes of a tiny OLMoE, merged by Cambium and by averaging; and what the models share.

A base is trained by transformers on English text, then a few experts of each layer and their router rows on each of
two other texts. Bits per byte are `cambium eval`'s, on text that nobody trained on. After a wrong answer the exit
code is 1, after a missed target it is not.

    tools/bench finetunes --peers [--quick] [--json FILE] [--dir DIR] [--data DIR]
"""
import argparse, importlib.util, json, os, shlex, shutil, subprocess, sys, tempfile, time

import bench_machine
import bench_peers
from bench_peers import Failure
from storage_records import row

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DATA = os.path.join(os.path.dirname(ROOT), "shared", "data", "stream")
SCRIPT = os.path.join(HERE, "peers", "torch_finetune.py")
OLD = ("shakespeare", "gsm8k", "wikitext")
NEW = ("swahili", "metamath")
POLICIES = ("mean", "ties", "task", "regmean", "ours")
GROWN = ("chinese", "swahili")


class Benchmark:
    def __init__(self, args):
        self.args, self.rows, self.failures, self.remarks = args, [], [], []
        self.models, self.store = f"{args.dir}/models", f"{args.dir}/store"
        os.makedirs(self.models)
        self.steps = (40, 20) if args.quick else (600, 300)

    def say(self, text): print(f"{time.perf_counter() - self.args.start:6.0f} s  {text}", file=sys.stderr)

    def text(self, name, part): return f"{self.args.data}/{name}/{part}.txt"

    def torch(self, *words):
        done = subprocess.run([sys.executable, "-W", "ignore", SCRIPT, *map(str, words)], capture_output=True, text=True)
        if done.returncode != 0: raise Failure(f"torch_finetune {words[0]}: {done.stderr.strip()[-500:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def cambium(self, *words, status=0):
        done = subprocess.run([os.environ["CAMBIUM"], *map(str, words), "--store", self.store, "--json"],
                              capture_output=True, text=True)
        if done.returncode != status: raise Failure(f"cambium {' '.join(map(str, words))}: {done.stderr.strip()}")
        return json.loads(done.stdout or done.stderr)

    def note(self, case, what, value, unit, by="cambium", against=None, target=None, of="ratio"):
        self.rows.append(row(by, case, what, [value], unit, against=against, target=target, of=of,
                             judged=not self.args.quick))

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
        subprocess.run([os.environ["CAMBIUM"], "init", self.store], check=True, capture_output=True)
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
                              "8k" if self.args.quick else "all")
        bits = {}
        for row in answer["rows"]:
            bits[row["revision"], row["text"].split("/")[-2]] = row["bitsPerByte"]
        for name in names:
            for text in texts:
                value, against, target = bits[name, text], None, None
                if name.startswith("merged-"):
                    against = ("plain average", bits["average", text])
                elif name != "main":
                    against = ("base", bits["main", text])
                if name == "merged-mean" and text in NEW:
                    against, target = ("base", bits["main", text]), ("<=", 1, "< base")
                self.note("bits", f"{name} on {text}", value, "bits/byte",
                          "plain average" if name == "average" else "cambium", against, target)

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
                          target=(">=", 0.995, "99.5 %"), of="value")
                before, after = found["oldBits"]
                self.note("grow", f"{place}: old text, bits per token more", after - before, "bits")

    def all(self):
        try:
            for action in (self.train, self.commit, self.merge, self.measure, self.share, self.grow): action()
        except Failure as failure:
            self.failures.append(str(failure))
            self.say(f"FAILED: {failure}")


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench finetunes")
    parser.add_argument("--quick", action="store_true", help="a few steps, nothing judged")
    parser.add_argument("--peers", action="store_true", help="first install transformers for Python, which is needed")
    parser.add_argument("--json", default=os.path.join(ROOT, ".build/bench/finetunes.json"))
    parser.add_argument("--data", default=DATA, help="folder of texts, each with train.txt and test.txt")
    parser.add_argument("--dir", default=os.path.join(ROOT, ".build/bench/work"), help="scratch directory")
    return parser.parse_args()


def main():
    args = arguments()
    bench_peers.use_python(args.peers, "requirements-models.txt", "bench-python-models")
    args.start = time.perf_counter()
    if not os.environ.get("CAMBIUM"): sys.exit("bench: CAMBIUM names no program; use tools/bench")
    if importlib.util.find_spec("transformers") is None: sys.exit("bench: it trains by transformers; give --peers")
    if not os.path.exists(args.data): sys.exit(f"bench: there are no texts at {args.data}; --data names them")
    os.makedirs(args.dir, exist_ok=True)
    args.dir = tempfile.mkdtemp(prefix="finetunes-", dir=args.dir)
    benchmark = Benchmark(args)
    machine = bench_machine.describe(args.dir)
    try: benchmark.all()
    finally: shutil.rmtree(args.dir, ignore_errors=True)
    machine["load_after"] = os.getloadavg()
    bench_machine.finish({"schema": 1, "benchmark": "finetunes", "mode": "quick" if args.quick else "full",
                          "command": shlex.join(["tools/bench", "finetunes", *sys.argv[1:]]), "machine": machine,
                          "seconds": time.perf_counter() - args.start, "failures": benchmark.failures,
                          "remarks": benchmark.remarks, "rows": benchmark.rows}, args.json)


if __name__ == "__main__":
    main()
