"""Fine-tunes of a tiny OLMoE, merged by Cambium and by others; and what the models share.

A base is trained by transformers on English text, then a few experts of each layer and their router rows on each of
two other texts. Bits per byte are `cambium eval`'s, on text that nobody trained on.
"""
import dataclasses, statistics

from harness.bench import STREAM, TRANSFORMERS, Target
from harness.report import at_most, print_table
from targets.finetunes_more import four, held, wide
from targets.finetunes_seed import COUNTED, MERGEKIT, NEW, OLD, FineTunes

# Bits per byte that a merge may lose to each text's own fine-tune, or to the base on old text.
GOALS = {"solve": {"swahili": 0.25, "metamath": 0.50, **{name: 0.35 for name in OLD}},
         **{name: {text: 0.03 for text in (*NEW, *OLD)} for name in ("alternatives", COUNTED)}}
BY = {"average": "plain average", "ridge": "ridge routers", **{f"mergekit {name}": "mergekit" for name in MERGEKIT}}
# Of the first seed, behind all others.
CASES = {"shared": FineTunes.share, "grow": FineTunes.grow, "four": four, "wide": wide, "held": held}


def best(found, text):
    """The bits of the model that was made for a text: its own fine-tune, or the base."""
    return found.get((f"fine-tune {text}", text)) or found["base", text]


def gaps(found, name, text):
    return [value - own for value, own in zip(found[name, text], best(found, text))]


def single(found, text):
    """Of each seed the least and the mean of the bits that the two texts' own models have on a mixture of them."""
    names = [name if (name, text) in found else "base" for name in (f"fine-tune {part}" for part in text.split(" + "))]
    both = list(zip(*(found[name, text] for name in names)))
    return [min(pair) for pair in both], [sum(pair) / 2 for pair in both]


def spread(values):
    middle = f"{statistics.mean(values):.3f}"
    return middle if len(values) < 2 else f"{middle} ({min(values):.3f}–{max(values):.3f})"


def parts(found): return (list(dict.fromkeys(part)) for part in zip(*found))


def tell(bench, bits):
    """All values as rows, with their goals."""
    for case, found in bits.items():
        names, texts = parts(found)
        for name in names:
            for text in texts:
                more = {"by": BY.get(name, "cambium"), "center": "mean"}
                bench.note(case, f"{name} on {text}: bits", found[name, text], "bits/byte", **more)
                if case in ("held", "mixed") or name == "base" or name.startswith("fine-tune"): continue
                limit = GOALS.get(name, {}).get(text) if case == "merge" else None
                goal = at_most(limit, f"≤ {limit}", "value") if limit else None
                bench.note(case, f"{name} on {text}: gap", gaps(found, name, text), "bits/byte", goal=goal, **more)


def show(bits, distances):
    """Tables of models and texts: bits, and what is lost to the model that was made for the text."""
    for case, found in bits.items():
        names, texts = parts(found)
        print(f"\n{case}: bits per byte, mean (least–greatest)\n")
        more = ["‖y − y₀‖² / ‖y₀‖²", "KL(p₀, p)"] if case == "held" else []
        print_table([case, *texts, *more], (
            [name, *(spread(found[name, text]) for text in texts),
             *(f"{value:.3f}" for value in distances.get(name, [])[:len(more)]),
             *[""] * (len(more) - len(distances.get(name, [])))] for name in names))
        if case == "held": continue
        if case == "mixed":
            print("\nmixed: bits behind the better of the two texts' own models / behind the mean of both\n")
            lines = ([name, *(" / ".join(spread([value - other for value, other in zip(found[name, text], others)])
                                         for others in single(found, text)) for text in texts)] for name in names)
        else:
            print(f"\n{case}: gap to the text's own fine-tune, or to the base on old text\n")
            lines = ([name, *(spread(gaps(found, name, text)) for text in texts)] for name in names)
        print_table([case, *texts], lines)


def run(bench):
    bits, first = {}, None
    for seed in range(1, (1 if bench.quick else bench.args.seeds) + 1):
        tunes = FineTunes(bench, seed, bits)
        first = first or tunes
        for action in (tunes.train, tunes.commit_base): action()
        if "merge" in bench.cases:
            for action in (tunes.others, tunes.policies, tunes.measure_merges):
                bench.attempt(f"seed {seed}: {action.__name__}", action)
    for case, action in CASES.items():
        if case in bench.cases: bench.attempt(case, action, first)
    tell(bench, bits)
    bench.extra = {"bits": {case: [[*key, values] for key, values in found.items()] for case, found in bits.items()},
                   "held": first.distances}
    bench.tables = lambda: show(bits, first.distances)


TARGET = Target(
    "finetunes", "Fine-tunes of a tiny OLMoE, merged by Cambium and by others; and what the models share.", run,
    ("cambium", "CambiumC"), cases=("merge", *CASES),
    peers=dataclasses.replace(TRANSFORMERS, needed=True, optional=("mergekit==0.1.5",)),
    options={"data": STREAM, "seeds": {"type": int, "default": 3, "help": "bases, each with fine-tunes of its own"},
             "models": {"default": None, "help": "folder that keeps the trained models, and has those of an earlier run"}},
    quick="a few steps, nothing judged")
