"""Running a model of 472M parameters shaped as OLMoE: decoding, cold starts, memory; beside transformers.

Answers are compared before anything is timed; after a wrong one the exit code is 1, after a slow one it is
not. The weights are random, so that the text means nothing; the work for a token is that of real ones.

    tools/bench models [--quick] [--peers] [--count TOKENS] [--rounds N] [--json FILE] [--dir DIR]
"""
import argparse, importlib.util, json, os, shlex, shutil, subprocess, sys, tempfile, threading, time

import bench_machine
import bench_peers
import models_make
import models_rows
from bench_peers import Failure

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROMPT = [1 + 37 * i % 997 for i in range(16)]
FORMS = {"fp32": "fp32-fused", "bf16": "bf16"}
SCRIPT = os.path.join(HERE, "peers", "torch_models.py")


def joined(tokens): return ",".join(map(str, tokens))


def evict(*paths):
    """Drops files from the page cache; nobody may have them mapped."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fdatasync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def anonymous(pid):
    """Bytes of memory of a process's own."""
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith("RssAnon:"): return int(line.split()[1]) * 1024
    except OSError: pass
    return 0


def once(words):
    """Runs a program to its end: its answer, with the seconds from its start and its most memory."""
    begin, peak, ended = time.perf_counter(), [0], threading.Event()
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def watch():
        while not ended.wait(0.002): peak[0] = max(peak[0], anonymous(child.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    line = child.stdout.readline()
    seconds = time.perf_counter() - begin
    ended.set()
    watcher.join()
    errors = child.stderr.read()
    if child.wait() != 0 or not line: raise Failure(f"{words[0]}: {errors.strip()[-500:]}")
    return {**json.loads(line), "seconds": seconds, "peak_anonymous": peak[0]}


class Benchmark:
    def __init__(self, args):
        self.args, self.records, self.failures, self.remarks = args, [], [], []
        self.program, self.command = os.environ["CAMBIUM_MODELS_BENCHMARK"], os.environ["CAMBIUM"]
        self.store, self.models = f"{args.dir}/store", f"{args.dir}/models"
        self.size = models_make.QUICK if args.quick else models_make.FULL
        self.count, self.rounds = args.count, args.rounds
        self.torch = (args.peers or not args.quick) and importlib.util.find_spec("transformers") is not None
        if not self.torch: self.remarks.append("transformers is not measured (see --peers)")

    def say(self, text): print(f"{time.perf_counter() - self.args.start:6.0f} s  {text}", file=sys.stderr)

    def note(self, by, case, metric, values, unit, **place):
        self.records.append({"by": by, "case": case, "metric": metric, "values": values, "unit": unit, **place})

    def ours(self, form, *words):
        return bench_peers.Program("cambium", [self.program, "serve", "--store", self.store, "--revision", form,
                                               *map(str, words)])

    def theirs(self, form):
        return bench_peers.Program(
            "transformers", [sys.executable, "-W", "ignore", SCRIPT, "serve", f"{self.models}/{FORMS[form]}"])

    def prepare(self):
        self.say("making the models")
        self.bytes = models_make.make(self.models, self.size)
        subprocess.run([self.command, "init", self.store], check=True, capture_output=True)
        for form in ("fp32", "bf16"):
            words = [self.command, "commit", f"{self.models}/{form}", "-m", form, "--store", self.store]
            if form != "fp32":
                subprocess.run([self.command, "branch", form, "--store", self.store], check=True,
                               capture_output=True)
                words += ["--branch", form]
            begin = time.perf_counter()
            subprocess.run(words, check=True, capture_output=True)
            self.note("cambium", "import", form, [time.perf_counter() - begin], "s")
        self.revisions = {"fp32": "main", "bf16": "bf16"}

    def compare(self, form, ours, other):
        """Logits of a prompt, and as many greedy tokens as both choose alike."""
        import numpy as np

        def logits(name, ask):
            path = f"{self.args.dir}/{name}.f32"
            ask(path)
            return np.fromfile(path, dtype="<f4")

        mine = logits("ours", lambda path: ours.ask("logits", joined(PROMPT), path))
        theirs = logits("theirs", lambda path: other.ask("logits", joined(PROMPT), path))
        if form == "bf16":
            # transformers computes BF16 models in BF16, where near-ties of random routers fall otherwise: that
            # difference is told, and parity judged where it computes with the same weights in 32 bits.
            self.note("transformers", "parity", "bf16 rounded", [self.difference(form, mine, theirs)], "share")
            theirs = logits("wide", lambda path: once(
                [sys.executable, "-W", "ignore", SCRIPT, "logits", f"{self.models}/{FORMS[form]}", joined(PROMPT), path]))
        difference = self.difference(form, mine, theirs)
        self.note("transformers", "parity", form, [difference], "share")
        if difference > 2e-4: raise Failure(f"{form}: logits differ by {difference} of their standard deviation")
        texts = [one.ask("decode", joined(PROMPT), 32, 2)["tokens"] for one in (ours, other)]
        equal = next((i for i, (a, b) in enumerate(zip(*texts)) if a != b), 32)
        self.note("transformers", "parity", f"{form} tokens", [equal], "count")
        if form == "fp32" and equal < 32: raise Failure(f"greedy texts differ after {equal} tokens")

    @staticmethod
    def difference(form, mine, theirs):
        """The greatest difference of logits, in standard deviations."""
        if mine.shape != theirs.shape: raise Failure(f"{form}: logits of other shapes")
        return float(abs(mine - theirs).max() / theirs.std())

    def decode(self, form):
        self.say(f"decoding, {form}")
        with self.ours(self.revisions[form]) as ours:
            other = self.theirs(form) if self.torch else None
            try:
                if other: self.compare(form, ours, other)
                found = {}
                for number in range(self.rounds + 1):
                    for by, one in (("cambium", ours), ("transformers", other)):
                        if not one: continue
                        for threads in (1, 2):
                            answer = one.ask("decode", joined(PROMPT), self.count, threads)
                            if number: found.setdefault((by, threads), []).append(answer)
                for (by, threads), answers in found.items():
                    for metric, unit in (("tokens_per_s", "tokens/s"), ("prefill_seconds", "s"),
                                         ("cpu_ms_per_token", "ms")):
                        self.note(by, "decode", metric, [a[metric] for a in answers], unit, form=form,
                                  threads=threads)
            finally:
                if other: other.close()

    def cold(self, form):
        """First token of a process, with the model's files out of the page cache and in it."""
        self.say(f"first token, {form}")
        folder = f"{self.models}/{FORMS[form]}"
        ours = [self.program, "first", "--store", self.store, "--revision", self.revisions[form], "--tokens"]
        theirs = [sys.executable, "-W", "ignore", SCRIPT, "first", folder]
        files = {"cambium": f"{self.store}/data.mdb", "transformers": f"{folder}/model.safetensors"}
        for length in (1, 16):
            found = {}
            for _ in range(self.rounds):
                for by, words in (("cambium", ours), ("transformers", theirs)):
                    if by == "transformers" and not self.torch: continue
                    # transformers spends most of a warm start importing itself.
                    for state in ("cold", "warm") if by == "cambium" else ("cold",):
                        if state == "cold": evict(files[by])
                        answer = once([*words, joined(PROMPT[:length])])
                        found.setdefault((by, state), []).append(answer)
            for (by, state), answers in found.items():
                place = {"form": form, "tokens": length, "state": state}
                for metric, unit in (("seconds", "s"), ("bytes_read", "bytes"), ("peak_anonymous", "bytes")):
                    self.note(by, "first", metric, [a[metric] for a in answers], unit, **place)
                if by == "cambium":
                    narrow = 2 if form == "bf16" else 1
                    trunk = (self.bytes["all"] - self.bytes["experts"] - self.bytes["embedding"]) // narrow
                    row = 4 * self.size["hidden"] // narrow
                    needed = trunk + row * length + answers[0]["bytes_touched"]
                    self.note(by, "first", "needed", [needed], "bytes", **place)

    def limited(self, form):
        """A limit of 40 % of the model, with and without the experts of a profile asked for before."""
        narrow = 2 if form == "bf16" else 1
        # The program itself takes some 40 MB, more than a small model.
        limit = max(int(0.4 * self.bytes["all"] / narrow), 64 << 20)
        self.say(f"memory limit of {limit >> 20} MiB, {form}")
        with self.ours(self.revisions[form]) as one:
            expected = one.ask("decode", joined(PROMPT), self.count, 2)
        subprocess.run([self.command, "profile", self.revisions[form], "--tokens", joined(PROMPT + expected["tokens"]),
                        "--store", self.store], check=True, capture_output=True)
        for warm in (False, True):
            answers, peaks = [], []
            for _ in range(self.rounds):
                with self.ours(self.revisions[form], "--limit", limit, "--warm" if warm else "--no-warm") as one:
                    answer = one.ask("decode", joined(PROMPT), self.count, 2)
                    peaks.append(anonymous(one.child.pid))
                if answer["tokens"] != expected["tokens"]: raise Failure(f"{form}: a limit changed the tokens")
                answers.append(answer)
            place = {"form": form, "warm": warm, "limit": limit}
            for metric, unit in (("tokens_per_s", "tokens/s"), ("prefill_seconds", "s"), ("hit_rate", "share"),
                                 ("prefetch_accuracy", "share")):
                self.note("cambium", "limited", metric, [a[metric] for a in answers], unit, **place)
            self.note("cambium", "limited", "anonymous", peaks, "bytes", **place)

    def attempt(self, action, *words):
        try: action(*words)
        except (Failure, subprocess.CalledProcessError) as failure:
            self.failures.append(str(failure))
            self.say(f"FAILED: {failure}")

    def all(self):
        self.prepare()
        for form in ("fp32", "bf16"):
            for action in (self.decode, self.cold, self.limited): self.attempt(action, form)


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench models")
    parser.add_argument("--quick", action="store_true", help="a small model, under a minute, nothing judged")
    parser.add_argument("--peers", action="store_true", help="first install transformers for Python")
    parser.add_argument("--count", type=int, help="tokens of a decoded text (32, quick 16)")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement (5, quick 2)")
    parser.add_argument("--json", default=os.path.join(ROOT, ".build/bench/models.json"))
    parser.add_argument("--dir", default=os.path.join(ROOT, ".build/bench/work"),
                        help="scratch directory, on the disk that is to be measured")
    args = parser.parse_args()
    args.count = args.count or (16 if args.quick else 32)
    args.rounds = args.rounds or (2 if args.quick else 5)
    return args


def main():
    args = arguments()
    bench_peers.use_python(args.peers, "requirements-models.txt", "bench-python-models")
    args.start = time.perf_counter()
    for name in ("CAMBIUM", "CAMBIUM_MODELS_BENCHMARK"):
        if not os.environ.get(name): sys.exit(f"bench: {name} names no program; use tools/bench")
    os.makedirs(args.dir, exist_ok=True)
    needed = 1e9 if args.quick else 9e9
    if shutil.disk_usage(args.dir).free < needed:
        sys.exit(f"bench: {args.dir} needs {needed / 1e9:.0f} GB of free disk; --dir names another place")
    args.dir = tempfile.mkdtemp(prefix="models-", dir=args.dir)
    benchmark = Benchmark(args)
    machine = bench_machine.describe(args.dir)
    try: benchmark.all()
    finally: shutil.rmtree(args.dir, ignore_errors=True)
    machine["load_after"] = os.getloadavg()
    report = {"schema": 1, "benchmark": "models", "mode": "quick" if args.quick else "full",
              "command": shlex.join(["tools/bench", "models", *sys.argv[1:]]), "machine": machine,
              "seconds": time.perf_counter() - args.start, "failures": benchmark.failures,
              "remarks": benchmark.remarks, "rows": models_rows.rows(benchmark.records, not args.quick),
              "records": benchmark.records}
    bench_machine.finish(report, args.json)


if __name__ == "__main__":
    main()
