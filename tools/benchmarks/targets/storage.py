"""A million experts, beside TensorStore OCDBT, python-lmdb, copies in safetensors and floors of the same machine.

The program under test, `storage-benchmark CASE --dir DIR --experts N --size BYTES [--changes K] [--rounds R]
[--commits C] [--quick]`, checks its answers, exits with another code than 0 when one is wrong, and prints one line of
JSON for each metric. Asked to take turns, it says that it is ready before each timed round and waits for a line.
"""
import contextlib, importlib.util, math, os, statistics, subprocess, sys

from harness import plots
from harness.bench import Peers, Target
from harness.machine import free_memory
from harness.programs import PEERS, Failure, Program, folder
from harness.report import at_most, human, print_table
from targets import storage_floors as floors
from targets.storage_cases import FULL, NAMES, QUICK, figures, ratio_goal, short

# Of every peer: its module, and the share of its data that has to fit in free memory, made before the clock starts.
STORES = {"ocdbt": ("tensorstore", 3), "ocdbt-64k": ("tensorstore", 3), "lmdb": ("lmdb", 2), "safetensors": ("safetensors", 5)}
LIMIT_SECONDS = 900


class Storage:
    def __init__(self, bench):
        self.bench = bench
        self.found, self.units = {}, {}  # values by (side, case or pool, metric)
        self.cases = [case for case in (QUICK if bench.quick else FULL) if case.name in bench.cases]

    def values(self, by, place, metric): return self.found.get((by, place, metric), [])

    def median(self, name, by, place, metric): return self.bench.median(name, self.values(by, place, metric))

    def add(self, by, place, metric, values, unit=None):
        self.found.setdefault((by, place, metric), []).extend(values)
        if unit: self.units[metric] = unit

    def program(self, side, case):
        """Runs a case; stops before each timed round, for others to take theirs."""
        with folder(self.bench.args.dir, side.name) as path:
            words = [side.path("storage-benchmark"), case.name, "--dir", path, *case.options()]
            with Program(f"{side.name} {case.name}", words + ["--quick"] * self.bench.quick, LIMIT_SECONDS,
                         {"CAMBIUM_BENCH_PACED": "1"}, greets=False) as one:
                for line in one.child.stdout:
                    record = one.parse(line)
                    if record["metric"] == "ready":
                        yield
                        one.tell()
                    else: self.add(side.name, case, record["metric"], record["values"], record["unit"])
                code = one.child.wait()
        if code: raise Failure(f"{side.name}: {case.name} ({case.label()}) ended with code {code}")

    def turns(self, case, peers=()):
        """Every side's rounds and every peer's, in turns; whole processes where a case has no rounds to stop at."""
        done = order = 0
        for _ in range(3 if len(self.bench.sides) > 1 and case.name != "commit" and not self.bench.quick else 1):
            running = [self.program(side, case) for side in self.bench.sides]
            while running or done < (case.rounds if peers else 0):
                # Every second time the other way round.
                order ^= 1
                for one in running[::1 if order else -1]:
                    try: next(one)
                    except StopIteration: running.remove(one)
                if peers and done < case.rounds:
                    for one in peers: one.commit(case)
                    done += 1

    def lacks(self, name, case):
        """Whether a peer cannot run here; says why."""
        if len(self.bench.sides) > 1: return True
        module, share = STORES[name]
        reason = next((f"no Python module {needed} (see --peers)" for needed in (module, "numpy")
                       if importlib.util.find_spec(needed) is None), None)
        if free_memory() < share * case.experts * case.size:
            reason = reason or f"needs {share * case.experts * case.size / 1e9:.0f} GB of free memory"
        remark = f"{name} is not measured: {reason}"
        if reason and remark not in self.bench.remarks: self.bench.remarks.append(remark)
        return reason

    @contextlib.contextmanager
    def peer(self, name, case):
        """A peer that holds all experts and has given every one of them back."""
        self.bench.say(f"{name}: import and check of {case.label()}")
        with folder(self.bench.args.dir, name) as path, Peer(self, name, path, case) as one:
            one.ask_for("import", case.pool, "import")
            one.ask_for("check", case.pool, "check")
            yield one
            one.ask_for("check", case.pool, *(("check",) if self.bench.quick else ("check", 20000)))
            one.ask_for("read", case.pool, "read", 2000)

    def commits(self, group):
        """Cambium and OCDBT take turns, round by round; then the other peers, one at a time."""
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(self.peer(name, group[0])) for name in ("ocdbt", "ocdbt-64k")
                     if not self.lacks(name, group[0])]
            for case in group:
                self.add("floor", case, "seconds", floors.commit(self.bench.args.dir, case), "s")
                self.bench.attempt(f"commit {case.label()}", self.turns, case, peers)
        for name, most in (("lmdb", 5), ("safetensors", 3)):
            if not self.lacks(name, group[0]): self.bench.attempt(f"{name}: commit", self.alone, name, group, most)

    def alone(self, name, group, most):
        with self.peer(name, group[0]) as one:
            for case in group:
                for _ in range(min(case.rounds, most)): one.commit(case)

    def bulk(self, group):
        floor = [floors.bulk(self.bench.args.dir, *group[0].pool, 2)]
        for case in group: self.bench.attempt(f"{case.name} {case.label()}", self.turns, case)
        floor.append(floors.bulk(self.bench.args.dir, *group[0].pool, 1))
        for one in floor:
            for metric, values in one.items(): self.add("floor", group[0].pool, metric, values)

    def measure(self):
        groups = {}
        for case in self.cases:
            key = "bulk" if case.name in ("import", "export") else case.name
            groups.setdefault((key, case.pool if key in ("commit", "bulk") else case), []).append(case)
        for (name, _), group in groups.items():
            if name == "commit": self.bench.attempt(f"commits at {group[0].label()}", self.commits, group)
            elif name == "bulk": self.bulk(group)
            elif self.bench.sides: self.bench.attempt(f"{name} {group[0].label()}", self.turns, group[0])

    def report(self):
        for case in self.cases:
            # One checkout's growth has a table of its own.
            if case.name == "growth" and len(self.bench.sides) < 2: continue
            for side in self.bench.sides: self.figures(case, side.name)
            special = getattr(self, f"{case.name}_beside", None)
            if special: special(case)

    def note(self, case, what, by, values, against=None, goal=None, center="median", unit="s"):
        self.bench.note(case.name, what, values, unit, by=by, against=against, center=center,
                        goal=goal if by == "cambium" else None)

    def figures(self, case, by):
        getattr(self, f"{case.name}_figures", lambda *_: None)(case, by)
        for metric, what, against, goal, *center in figures(case):
            if against and isinstance(against[1], str):
                other = self.values(by, case, against[1])
                average = statistics.mean if center else statistics.median
                against = (against[0], average(other)) if other else None
            self.note(case, what, by, self.values(by, case, metric), against, goal, *center, unit=self.units.get(metric, "count"))

    def commit_figures(self, case, by):
        seconds, what = self.values(by, case, "seconds"), f"time, {case.label()}"
        goal = at_most(case.time_target, f"≤ {case.time_target} ×") if case.time_target else None
        for name, goal in (("ocdbt", goal), ("ocdbt-64k", None)):
            against = self.median(name, name, case, "seconds")
            if against or goal: self.note(case, what, by, seconds, against, goal)
        self.note(case, what, by, seconds, self.median("write + fsync", "floor", case, "seconds"))

    def commit_beside(self, case):
        payload, floor = ("changed", case.changes * case.size), self.median("write + fsync", "floor", case, "seconds")
        for name in STORES:
            self.note(case, f"time, {case.label()}", name, self.values(name, case, "seconds"), floor)
            for metric, what in (("file_growth", "file growth"), ("write_bytes", "write_bytes")):
                self.note(case, f"{what}, {case.label()}", name, self.values(name, case, metric), payload, None, "mean", "bytes")

    def import_figures(self, case, by):
        slower = max((self.median(name, "floor", case.pool, metric) or (name, 0)
                      for metric, name in (("write", "write + fsync"), ("hash", "SHA-256, all cores"))), key=lambda one: one[1])
        self.note(case, f"time, {case.label()}", by, self.values(by, case, "seconds"), slower, at_most(1.5, "≤ 1.5 ×"))

    export_figures = import_figures

    def import_beside(self, case):
        floor, label = self.median("write + fsync", "floor", case.pool, "write"), case.label()
        for name in STORES:
            self.note(case, f"time, {label}", name, self.values(name, case.pool, "import seconds"), floor)
            self.note(case, "file", name, self.values(name, case.pool, "import file_bytes"), ("experts", case.experts * case.size),
                      unit="bytes")
        self.note(case, f"write + fsync, {label}", "floor", self.values("floor", case.pool, "write"))
        self.note(case, f"SHA-256, all cores, 1 MiB pieces, {label}", "floor", self.values("floor", case.pool, "hash"))

    def open_beside(self, case):
        for (by, place, metric), values in self.found.items():
            if metric == "read read_ns": self.note(case, "read one, through Python", by, values, unit="ns")
            if metric == "read_ns": self.note(case, "map, 2 KiB copied, with Python", by, values, unit="ns")

    def series_figures(self, case, by):
        last, goal = case.commits, at_most(1.5, "≤ 1.5 ×")
        for metric, what, unit in (("seconds", "commit time", "s"), ("file_growth", "file growth", "bytes"),
                                   ("write_bytes", "write_bytes", "bytes")):
            values = self.values(by, case, metric)
            enough, tenth = len(values) >= 20, max(10, len(values) // 10)
            self.note(case, f"{what}, last 10 of {last:,}", by, values[-10:] if enough else [],
                      self.bench.median("commits 6 to 15", values[5:15]), goal, unit=unit)
            if enough:
                self.note(case, f"{what}, last {tenth} of {last:,}", by, values[-tenth:],
                          (f"first {tenth}", statistics.mean(values[:tenth])), goal, "mean", unit)
        for metric in ("log", "open"):
            values = self.values(by, case, f"{metric}_seconds")
            half = len(values) // 2
            self.note(case, f"{metric} after {last:,}", by, values[half:] if half else [],
                      self.bench.median("after 10", values[:half]), goal)

    def compress_figures(self, case, by):
        for (side, place, metric), values in self.found.items():
            if (side, place) == (by, case):
                self.note(case, metric.replace("_", " "), by, values, None, ratio_goal(metric), unit=self.units[metric])

    def growth(self):
        """One entry per metric of the growth cases: medians over N, and the exponent of N."""
        pools, answer = {}, []
        for (by, case, metric), values in self.found.items():
            if by == "cambium" and getattr(case, "name", "") == "growth":
                pools.setdefault(metric, {})[case] = statistics.median(values)
        for metric, points in pools.items():
            cases, values = list(points), list(points.values())
            counts = [case.experts for case in cases]
            if len(counts) < 2 or min(values) <= 0: continue
            answer.append({"metric": metric, "unit": self.units[metric], "experts": counts, "values": values,
                           "exponent": math.log(values[-1] / values[0]) / math.log(counts[-1] / counts[0]),
                           "size": cases[0].size, "changes": cases[0].changes,
                           "k_log_n": values[-1] / values[0] <= 1.5 * math.log(counts[-1]) / math.log(counts[0])})
        return answer


class Peer(Program):
    """A peer's process: one command, one answer; its numbers are found under the case or the pool they are of."""

    def __init__(self, storage, name, path, case):
        words = [sys.executable, os.path.join(PEERS, "serve.py"), name, "--dir", f"{path}/store",
                 "--experts", case.experts, "--size", case.size]
        super().__init__(name, words, greets=False)
        self.storage = storage

    def ask_for(self, prefix, place, *words):
        for metric, value in self.ask(*words).items(): self.storage.add(self.name, place, f"{prefix} {metric}".strip(), [value])

    def commit(self, case): self.ask_for("", case, "commit", case.changes)


def growth_table(growth):
    head = [f"growth, 1 commit of k = {growth[0]['changes']:,}", *(f"N = {short(n)}" for n in growth[0]["experts"]),
            "grows as", "within k log N"]
    print()
    print_table(head, [[g["metric"], *(human(v, g["unit"]) for v in g["values"]), f"N^{g['exponent']:.2f}",
                        "yes" if g["k_log_n"] else "no"] for g in growth])


def run(bench):
    storage = Storage(bench)
    storage.measure()
    storage.report()
    growth = bench.extra["growth"] = storage.growth()
    if growth and len(bench.sides) < 2:
        bench.remarks += plots.growth(growth, bench.plots)
        bench.tables = lambda: growth_table(growth)


TARGET = Target(
    "storage", "A million experts: what a commit, an import, an open, a diff, a merge and a collection cost.", run,
    ("storage-benchmark",), cases=NAMES, compares=True,
    peers=Peers("TensorStore, LMDB and safetensors", None, "requirements.txt", "bench-python"),
    options={"without-cambium": {"action": "store_true", "help": "peers and floors only"}, "plots": None},
    disk=lambda bench: max(6 * case.experts * case.size for case in (QUICK if bench.quick else FULL) if case.name in bench.cases))
