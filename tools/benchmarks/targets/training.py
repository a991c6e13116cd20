"""Training steps of a trained model's architecture, whole and as an adapter on it, beside PyTorch in turns.

Gradients are compared before anything is timed.
"""
import os

from harness.bench import CHECKPOINTS, STREAM, TORCH, Target, turns
from harness.programs import Failure, peer
from harness.report import at_least

# The greatest distance of gradients relative to their length.
TOLERANCE = 1e-2


def run(bench):
    for case in bench.cases: bench.attempt(case, step, bench, case == "adapter")


def step(bench, adapter):
    args, name = bench.args, "step of peer-lm" + (": a full-rank adapter, experts skipped" if adapter else "")
    words = ["--checkpoint", f"{args.checkpoints}/base", "--text", f"{args.data}/gsm8k/train.txt",
             "--threads", args.threads]
    rounds, steps = (2, 1) if bench.quick else (args.rounds, 4)
    programs = {side.name: side.start("training-benchmark", "step", *words, *(["--adapter"] if adapter else []))
                for side in bench.sides}
    try:
        if bench.has_peers and not adapter:
            programs["torch"] = peer("PyTorch", "torch_training.py", "step", "--reference",
                                     f"{args.checkpoints}/pytorch", *words)
            compare(bench, name, programs["cambium"], programs["torch"])
        found = turns(rounds, {by: lambda _, one=one: one.ask("time", steps) for by, one in programs.items()})
    finally:
        for one in programs.values(): one.close()
    for side in bench.sides:
        for metric, unit, what in (("tokens_per_s", "tokens/s", ""), ("cpu_s_per_step", "s", ": processor time of a step")):
            values = {by: [answer[metric] for answer in answers] for by, answers in found.items()}
            against = bench.median("PyTorch", values.get("torch"))
            bench.note(name, "forward, backward, AdamW" + what, values[side.name], unit, by=side.name, against=against,
                       goal=at_least(2, "≥ 2 ×") if against and not what else None)


def compare(bench, name, ours, other):
    """Of the gradients, files of floats, the distance relative to the length."""
    import numpy as np
    loss, parts = [], []
    for by, one in (("ours", ours), ("torch", other)):
        path = f"{bench.args.dir}/{by}"
        loss.append(one.ask("gradients", path)["loss"])
        parts.append(np.fromfile(path, np.float32).astype(float))
    if parts[0].shape != parts[1].shape: raise Failure(f"{name}: {parts[0].size} numbers and {parts[1].size} of PyTorch")
    worst = float(np.linalg.norm(parts[0] - parts[1]) / np.linalg.norm(parts[1]))
    bench.note(name, "gradients against ours, relative distance", worst, "share", by="torch")
    if not worst < TOLERANCE or not abs(loss[0] - loss[1]) < 1e-4 * loss[1]:
        raise Failure(f"{name}: gradients differ by {worst}, losses are {loss}")


TARGET = Target(
    "training", "Training steps: of a trained model's architecture and of an adapter on it.", run,
    ("training-benchmark",), cases=("step", "adapter"), peers=TORCH, compares=True,
    options={"rounds": 9, "threads": {"type": int, "default": 2, "help": "of all sides"},
             "checkpoints": CHECKPOINTS, "data": STREAM})
