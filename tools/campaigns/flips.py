"""One flipped bit: `verify` finds it, or nothing that is served is wrong, also after more commits."""
import os
from models import Model
from pages import regions
from program import run
from report import Row
from steps import export, references


def flip_lines(plan, history):
    with open(history.store + "/data.mdb", "rb") as file:
        return sorted(regions(file.read()).items())


def flipped(what, ranges, history, folder, plan):
    row, store = Row(plan, "flip", what), folder + "/S"
    before = references(history.copy(store))
    more = [Model.made(plan.seed + 900 + number).write(f"{folder}/more{number}") for number in range(2)]
    found = harmless = 0
    for turn in plan.turns:
        source = plan.source("flip", what, turn)
        start, end = source.choices(ranges, weights=[end - start for start, end in ranges])[0]
        at, bit = source.randrange(start, end), source.randrange(8)
        history.copy(store)
        with open(store + "/data.mdb", "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << bit]))
        outcome = run("verify", store=store)
        problems = [f"{outcome}"] if outcome.trapped else []
        if outcome.code == 0:
            problems += served_wrong(store, history, before, more, folder, source)
            harmless += not problems
        elif outcome.code != 4 and not outcome.trapped:
            problems.append(f"verify ends with {outcome.code}: {outcome.err.strip()[-200:]}")
        found += outcome.code == 4
        row.tried(problems, turn, f"byte {at}, bit {bit} ({what})", outcome.code == 4)
    row.detail = f" ({found} found, {harmless} harmless)"
    return [row]


def served_wrong(store, history, before, more, folder, source):
    """What is wrong in a store that verify calls clean, before and after two commits."""
    problems = []
    for turn in range(2):
        found = references(store)
        if found is None or not set(before) <= set(found):
            problems.append("verify is clean, and references changed")
        commit = source.choice([entry[2] for entry in before])
        if export(store, commit, folder + "/out") != history.acknowledged.get(commit):
            problems.append(f"verify is clean, and {commit[:12]} is not what was acknowledged")
        if turn == 0:
            for number, path in enumerate(more):
                outcome = run("commit", path, "-m", "more", "--branch", f"more{number}", store=store)
                if outcome.code != 0:
                    problems.append(f"verify is clean, and {outcome}")
    return problems
