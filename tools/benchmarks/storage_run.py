"""Runs the program under test and the peers, each in a process of its own.

The program under test, `storage-benchmark CASE --dir DIR --experts N --size BYTES [--changes K]
[--rounds R] [--commits C] [--quick]`, checks its answers, exits with another code than 0 when one is
wrong, and prints one line per metric: {"case": "...", "metric": "...", "values": [...], "unit":
"s|bytes|count|ns|ratio", "experts": N, "size": BYTES, "changes": K}. storage_targets.py names the
metrics.
"""
import contextlib, json, os, shutil, subprocess, sys, threading

import bench_machine
from bench_peers import Failure

HERE = os.path.dirname(os.path.abspath(__file__))
# Of every peer's data: the share that has to fit in free memory, for it is made before the clock starts.
PEERS = {"ocdbt": ("tensorstore", 3), "ocdbt-64k": ("tensorstore", 3), "lmdb": ("lmdb", 2),
         "safetensors": ("safetensors", 5)}
UNITS = {"seconds": "s", "check_seconds": "s", "read_ns": "ns"}
LIMIT_SECONDS = 900


@contextlib.contextmanager
def folder(parent, name):
    path = os.path.join(parent, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    try: yield path
    finally: shutil.rmtree(path, ignore_errors=True)


def cambium(program, case, parent, quick, between_rounds=None):
    """Runs one case of the program under test and returns its records.

    With `between_rounds`, CAMBIUM_BENCH_PACED=1 asks the program to print a line with the metric
    `ready` before each timed round and to wait for a line on stdin, so that peers take their
    rounds in between. Returns (records, whether it did so).
    """
    environment, paced, records = dict(os.environ), 0, []
    place = {"case": case.name, "experts": case.experts, "size": case.size, "changes": case.changes}
    if between_rounds: environment["CAMBIUM_BENCH_PACED"] = "1"
    with folder(parent, "cambium") as path:
        words = [program, case.name, "--dir", path, *case.options()] + ["--quick"] * quick
        child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                 env=environment)
        timer = threading.Timer(LIMIT_SECONDS, child.kill)
        timer.start()
        try:
            for line in child.stdout:
                try: record = json.loads(line)
                except json.JSONDecodeError: raise Failure(f"{case.name}: not JSON: {line.strip()}")
                if record.get("metric") == "ready":
                    paced += 1
                    if between_rounds: between_rounds()
                    with contextlib.suppress(BrokenPipeError):
                        print(file=child.stdin, flush=True)
                elif record.get("values"):
                    records.append({"by": "cambium", **record, **place})
            code = child.wait()
        finally:
            timer.cancel()
            child.kill()
            child.wait()
    if code: raise Failure(f"cambium {case.name} ({case.label()}) ended with code {code}")
    return records, paced > 0


class Peer:
    """A peer's process: one command, one answer; its numbers become records."""

    def __init__(self, name, path, experts, size):
        self.name, self.place = name, {"by": name, "experts": experts, "size": size}
        script = os.path.join(HERE, "peers", "serve.py")
        words = [sys.executable, script, name, "--dir", path,
                 "--experts", str(experts), "--size", str(size)]
        self.child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.found = {}

    def ask(self, command, case, changes=None):
        with contextlib.suppress(BrokenPipeError):
            print(command, file=self.child.stdin, flush=True)
        line = self.child.stdout.readline()
        if not line: raise Failure(f"{self.name}: '{command}' ended with code {self.child.wait()}")
        for metric, value in json.loads(line).items():
            self.found.setdefault((case, changes, metric), []).append(value)

    def commit(self, changes):
        self.ask(f"commit {changes}", "commit", changes)

    def records(self):
        for (case, changes, metric), values in self.found.items():
            unit = UNITS.get(metric, "bytes" if "bytes" in metric or "growth" in metric else "count")
            record = {**self.place, "case": case, "metric": metric, "values": values, "unit": unit}
            yield record | ({"changes": changes} if changes else {})

    def close(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.kill()
        self.child.wait()


def lacks(name, experts, size):
    """Why a peer cannot run here, or None."""
    import importlib.util
    module, share = PEERS[name]
    for needed in (module, "numpy"):
        if importlib.util.find_spec(needed) is None: return f"no Python module {needed} (see --peers)"
    if bench_machine.free_memory() < share * experts * size:
        return f"needs {share * experts * size / 1e9:.0f} GB of free memory"
    return None


@contextlib.contextmanager
def peer(name, parent, experts, size, everything):
    """A peer that holds all experts and has given every one of them back."""
    with folder(parent, name) as path:
        one = Peer(name, os.path.join(path, "store"), experts, size)
        try:
            one.ask("import", "import")
            one.ask("check", "check")
            yield one
            one.ask("check" if everything else "check 20000", "check")
            one.ask("read 2000", "read")
        finally: one.close()
