"""What two programs that run one model are asked, and how far their answers differ."""
import numpy as np

from harness.programs import Failure


def joined(tokens): return ",".join(map(str, tokens))


def logits(path, ask):
    """What a program writes into a file that it is told."""
    ask(path)
    return np.fromfile(path, dtype="<f4")


def difference(mine, theirs):
    """The greatest difference of two sides' logits, in standard deviations."""
    if mine.shape != theirs.shape: raise Failure("logits of other shapes")
    return float(abs(mine - theirs).max() / theirs.std())


def alike(mine, theirs):
    """How many of the first tokens are the same."""
    return next((i for i, (a, b) in enumerate(zip(mine, theirs)) if a != b), min(len(mine), len(theirs)))
