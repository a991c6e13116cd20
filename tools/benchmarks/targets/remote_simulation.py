"""The protocol of remotes over a simulated object store in virtual time: random schedules, checked, and thousands of pushers.

Simulated is not measured: requests and bytes are those of the real protocol code, latencies are a model (docs/scale.md).
"""
from harness.bench import Target
from harness.programs import Failure, run as start


def run(bench):
    for case in bench.cases: bench.attempt(case, {"schedules": schedules, "rounds": rounds, "history": history}[case], bench)


def figures(bench, *words):
    """What the program prints, by name."""
    lines = start(bench.sides[0].path("remote-simulation"), *words).splitlines()
    return {name: float(value) for name, _, value in (line.partition("\t") for line in lines) if value}


def schedules(bench):
    count = 200 if bench.quick else bench.args.schedules
    found = figures(bench, "schedules", "--first", bench.args.seed, "--count", count)
    bench.note("random schedules", "checked", found["schedules"], "schedules")
    bench.note("random schedules", "requests of all", found["requests"], "requests")
    bench.note("random schedules", "that found something", found["wrong"], "schedules")


def rounds(bench):
    words = ["--pushers", 200, "--branches", 20, "--commits", 10] if bench.quick else []
    tell(bench, "rounds", figures(bench, "rounds", "--seed", bench.args.seed, *words))


def history(bench):
    words = ["--pushes", 300] if bench.quick else []
    tell(bench, "history", figures(bench, "history", *words))


def tell(bench, case, found):
    if found.get("faults"): raise Failure(f"{case}: {found['faults']:.0f} faults")
    for name, value in sorted(found.items()):
        unit = "s" if "seconds" in name else "bytes" if any(word in name for word in ("bytes", "sent", "received", "entry")) else ""
        bench.note(case, name, value, unit or "number")


TARGET = Target(
    "remote-simulation", "Remotes in virtual time: random schedules, checked, and thousands of pushers.", run,
    ("remote-simulation",), cases=("schedules", "rounds", "history"),
    options={"seed": {"type": int, "default": 1, "help": "of all that is random"},
             "schedules": {"type": int, "default": 2_000, "help": "how many"}})
