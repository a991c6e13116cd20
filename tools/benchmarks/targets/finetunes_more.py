"""Harder merges of fine-tunes than two that change a few experts: four sides, every expert, attention; and held ones."""
import os

from harness.programs import ROOT
from targets.finetunes_seed import COUNTED, NEW, OLD

FOUR = (*NEW, "basque", "japanese")
# What learns, of a fine-tune: experts of a layer, and of what else.
WIDE = {"every expert": (16, "experts"), "attention": (4, "attention"), "all weights": (16, "all")}
# What a fine-tune is held to: weights of outputs and routers, stored states of each old text.
HELD = {
    "W = R = 3": (3, 3, 1024), "W = R = 10, 18,000 states": (10, 10, 6000), "W = 12, R = 0": (12, 0, 1024),
    "outputs alone, W = 1": (1, 0, 1024), "routers alone, R = 1": (0, 1, 1024)}
# With which both sides are held before they are merged.
BOTH = {"W = R = 3": (3, 3, 1024)}


def merged(tunes, case, sides, texts, counted=False):
    """Sides of some texts, merged by average, mean, solve and as alternatives, beside themselves and the base."""
    slug = case.replace(" ", "-")
    tunes.average(f"{slug}-average", sides.values())
    models = {"base": "main", **{f"fine-tune {text}": side for text, side in sides.items()}, "average": f"{slug}-average"}
    for policy in ("mean", "solve", "alternatives"):
        tunes.merge(f"{slug}-{policy}", list(sides.values()), policy)
        models[policy] = f"{slug}-{policy}"
    if counted:
        tunes.counted(f"{slug}-counts", list(sides.values()))
        models[COUNTED] = f"{slug}-counts"
    tunes.measure(case, models, tunes.tests(*texts))


def four(tunes):
    """Four branches in one command."""
    for number, name in enumerate(FOUR[len(NEW):], len(NEW)):
        tunes.tune(name, name, number)
        tunes.commit(name, name)
    merged(tunes, "four sides", {name: name for name in FOUR}, (*FOUR, *OLD), counted=True)


def wide(tunes):
    """Fine-tunes of more than a few experts."""
    for case, (count, parts) in WIDE.items():
        sides = {text: f"{text}-{case.replace(' ', '-')}" for text in NEW}
        for number, (text, side) in enumerate(sides.items()):
            tunes.tune(side, text, number, count, parts)
            tunes.commit(side, text)
        merged(tunes, case, sides, (*NEW, *OLD))


def held(tunes):
    """Fine-tunes that are held to old behaviour by the Python package, and merges of them."""
    library = tunes.bench.sides[0].path("CambiumC")
    if not library.endswith(".so"): library = os.path.join(os.path.dirname(library), "libCambiumC.so")
    os.environ["CAMBIUM_LIBRARY"], os.environ["PYTHONPATH"] = library, os.path.join(ROOT, "tools/python")
    old, texts = [tunes.text(name, "train") for name in OLD], tunes.tests(*NEW, *OLD)
    tunes.measure("held", {"the base": "main", "nothing": NEW[0]}, texts)

    def hold(name, text, how):
        answer = tunes.tune(name, text, NEW.index(text), hold=(*how, *old))
        tunes.commit(name, text)
        return answer

    made = {}
    for number, (name, how) in enumerate(HELD.items()):
        found = hold(f"held-{number}", NEW[0], how)
        made[how] = f"held-{number}"
        tunes.distances[name] = found["held"]
        tunes.measure("held", {name: made[how]}, texts)
    for number, (name, how) in enumerate(BOTH.items()):
        hold(f"held-other-{number}", NEW[1], how)
        tunes.measure("held", {f"metamath, {name}": f"held-other-{number}"}, texts)
        for policy in ("mean", "solve"):
            tunes.merge(f"held-{number}-{policy}", [made[how], f"held-other-{number}"], policy)
            tunes.measure("held", {f"both, {name}, {policy}": f"held-{number}-{policy}"}, texts)
