"""What a benchmark is: a target as data, a run of it, and the command line of all."""
import argparse, dataclasses, functools, importlib.util, os, shlex, shutil, statistics, sys, tempfile, time

from harness import machine, report
from harness.programs import ROOT, Failure, Side, use_python

SHARED = os.path.join(os.path.dirname(ROOT), "shared")
STREAM = os.path.join(SHARED, "data", "stream")
SAMPLE = os.path.join(ROOT, "tools/sample")
SCRATCH = os.path.join(ROOT, ".build/bench")
TRAINED = os.path.join(SHARED, "checkpoints/peer-lm")
CHECKPOINTS = TRAINED if os.path.isdir(TRAINED) else SAMPLE


@dataclasses.dataclass(frozen=True)
class Peers:
    """What is measured beside: installed from a list into a virtual environment of its own."""
    title: str
    module: str | None
    requirements: str
    place: str
    needed: bool = False
    optional: tuple = ()  # packages that may fail to install


TORCH = Peers("PyTorch", "torch", "requirements-inference.txt", "bench-python-inference")
LLAMA = Peers("llama.cpp", "xllamacpp", "requirements-serve.txt", "bench-python-serve")
TRANSFORMERS = Peers("transformers", "transformers", "requirements-models.txt", "bench-python-models")


@dataclasses.dataclass(frozen=True)
class Target:
    """A benchmark: what it builds, its cases, what it may be told, and what runs it."""
    name: str
    about: str
    run: object
    builds: tuple
    cases: tuple = ()
    groups: dict = dataclasses.field(default_factory=dict)  # names of several cases, for --only
    peers: Peers | None = None
    compares: bool = False  # whether another checkout's programs can take turns with this one's
    options: dict = dataclasses.field(default_factory=dict)  # --NAME: default, or how argparse takes it
    optional: tuple = ()  # folders that may be absent
    quick: str = "small sizes, under 2 minutes, nothing judged but the answers"
    disk: object = lambda bench: 0  # bytes that it needs free

    def parser(self):
        parser = argparse.ArgumentParser(prog=f"tools/bench {self.name}", description=self.about)
        add = parser.add_argument
        add("--quick", action="store_true", help=self.quick)
        add("--json", nargs="?", const="-", default=os.path.join(SCRATCH, f"{self.name}.json"),
            help="where all values go; to standard output without a name")
        add("--dir", default=os.path.join(SCRATCH, "work"), help="scratch directory, on the disk that is to be measured")
        if self.peers: add("--peers", action="store_true", help=f"first install {self.peers.title} for Python")
        if self.cases: add("--only", default="", help="cases to run, of " + ",".join([*self.cases, *self.groups]))
        for name, how in self.options.items():
            how = how if isinstance(how, dict) else {"default": how, "type": str if how is None else type(how)}
            add("--" + name, **{"help": KNOWN.get(name), **how})
        return parser

    def chosen(self, parser, only):
        wanted = []
        for name in filter(None, only.split(",")):
            if name not in self.cases and name not in self.groups:
                parser.error(f"there is no case '{name}': {', '.join([*self.cases, *self.groups])}")
            wanted += self.groups.get(name, (name,))
        return [name for name in self.cases if not wanted or name in wanted]


KNOWN = {"plots": "folder of the plots (full: docs/benchmarks)", "data": "folder of texts, one folder for each domain",
         "checkpoints": "folder with base and PyTorch's model.py in pytorch",
         "rounds": "in each of which all sides take a turn"}


class Bench:
    """One run of a target: its arguments, the sides that take turns, and what was measured."""

    def __init__(self, target, args, cases, sides):
        self.target, self.args, self.cases, self.sides = target, args, cases, sides
        self.quick, self.judged, self.start = args.quick, not args.quick, time.perf_counter()
        self.rows, self.failures, self.remarks, self.extra, self.tables = [], [], [], {}, None
        peers, wants = target.peers, len(sides) < 2 and (not args.quick or getattr(args, "peers", False))
        self.has_peers = bool(peers and wants and peers.module and importlib.util.find_spec(peers.module))
        if peers and peers.module and not peers.needed and len(sides) < 2 and not self.has_peers:
            self.remarks.append(f"{peers.title} is not measured (see --peers)")

    @property
    def plots(self):
        return self.args.plots or (SCRATCH if self.quick else os.path.join(ROOT, "docs/benchmarks"))

    def say(self, text): print(f"{time.perf_counter() - self.start:6.0f} s  {text}", file=sys.stderr)

    def fail(self, failure):
        self.failures.append(str(failure))
        self.say(f"FAILED: {failure}")

    def attempt(self, label, action, *words):
        """Later cases run even when one fails; the exit code tells."""
        self.say(label)
        try: return action(*words)
        except Failure as failure: self.fail(failure)

    def note(self, case, what, values, unit, **more):
        """Notes what was measured: one number or several; nothing when there is none, unless a target wants it."""
        if len(self.sides) > 1: more.pop("goal", None)
        values = [value for value in (values if isinstance(values, list) else [values]) if value is not None]
        if not values and not more.get("goal"): return
        if more.get("against") and more["against"][1] is None: more["against"] = None
        self.rows.append(report.measurement(case, what, values, unit, judged=self.judged, **more))

    @staticmethod
    def median(name, values): return (name, statistics.median(values)) if values else None


def turns(rounds, actions, warm=True):
    """{key: values} of {key: function of the round}: all take turns, in the other order every second round; the round
    that warms up is left out."""
    found = {key: [] for key in actions}
    for number in range(0 if warm else 1, rounds + 1):
        for key in list(actions)[::-1 if number % 2 == 0 else 1]:
            value = actions[key](number)
            if number: found[key].append(value)
    return found


def measure(target, words, before=None):
    """Runs a target; whether nothing failed."""
    parser = target.parser()
    args = parser.parse_args(words)
    cases = target.chosen(parser, getattr(args, "only", ""))
    if target.peers:
        use_python(target.peers, args.peers)
        if target.peers.needed and not importlib.util.find_spec(target.peers.module):
            sys.exit(f"bench: {target.name} needs {target.peers.title}, which --peers installs")
    for name in ("data", "checkpoints"):
        path = getattr(args, name, None)
        if path and name not in target.optional and not os.path.isdir(path):
            sys.exit(f"bench: {path} is absent; --{name} names another folder")
    sides = [] if getattr(args, "without_cambium", False) else [Side("cambium", ROOT, target.builds)]
    if before: sides.append(Side("before", before, target.builds))
    bench = Bench(target, args, cases, sides)
    os.makedirs(args.dir, exist_ok=True)
    if shutil.disk_usage(args.dir).free < target.disk(bench):
        sys.exit(f"bench: {args.dir} needs {target.disk(bench) / 1e9:.0f} GB of free disk; --dir names another place")
    args.dir = tempfile.mkdtemp(prefix=f"{target.name}-", dir=args.dir)
    about = machine.describe(args.dir)
    try: target.run(bench)
    except Failure as failure: bench.fail(failure)
    finally: shutil.rmtree(args.dir, ignore_errors=True)
    about["load_after"] = os.getloadavg()
    command = ["tools/bench", *(["--compare", before] if before else []), target.name, *words]
    found = {"schema": 1, "benchmark": target.name, "mode": "quick" if args.quick else "full",
             "command": shlex.join(command), "machine": about, "seconds": time.perf_counter() - bench.start,
             "failures": bench.failures, "remarks": bench.remarks, "rows": bench.rows, **bench.extra}
    return report.finish(found, args.json, functools.partial(report.compare, bench.rows) if before else
                         lambda: report.print_rows(bench.rows, bench.tables))


def groups(words, targets):
    """[(target, its words)]: a name of a target begins the next, unless it is an option's value."""
    found = []
    for at, word in enumerate(words):
        last = words[at - 1] if at else ""
        if word in targets and (not last.startswith("--") or last in ("--quick", "--peers")):
            found.append((targets[word], []))
        elif not found: sys.exit(f"bench: there is no benchmark '{word}'; 'tools/bench' lists them")
        else: found[-1][1].append(word)
    return found


def main(targets):
    words = sys.argv[1:]
    if not words:
        for target in targets.values(): print(f"{target.name:<16} {target.about}")
        return
    if words[0] == "--compare":
        if len(words) < 3 or not os.path.isfile(os.path.join(words[1], "Package.swift")):
            sys.exit("bench: --compare takes the folder of another checkout, then targets with their options")
        done = []
        for target, rest in groups(words[2:], targets):
            if not target.compares: sys.exit(f"bench: {target.name} cannot compare two checkouts")
            done.append(measure(target, rest, os.path.abspath(words[1])))
        sys.exit(not all(done))
    if words[0] not in targets:
        print(f"bench: there is no benchmark '{words[0]}'; 'tools/bench' lists them", file=sys.stderr)
        sys.exit(64)
    sys.exit(not measure(targets[words[0]], words[1:]))
