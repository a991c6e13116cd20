"""The experts' bytes and the order of changes, from one formula, so that every program stores the same.

SplitMix64 with state s gives mix(s + G), mix(s + 2G), ... modulo 2^64, G = 0x9E3779B97F4A7C15.
Expert i at version v is the little-endian stream with s = mix(i + v * 2^32), cut to the size.
Round r (1, 2, ...) changes the first k distinct values of (stream with s = mix(r)) modulo N, in
that order, and gives each the version r; version 0 is the import. The bytes do not compress, as
trained weights hardly do.
"""
import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def stream(state, first, count):
    steps = np.arange(first + 1, first + count + 1, dtype=np.uint64) * GOLDEN
    return mix(state + steps)


def experts(ids, versions, size):
    """Rows of uint8, one per id; versions: one number or an array as long as ids."""
    ids = np.asarray(ids, dtype=np.uint64)
    states = mix(ids + (np.asarray(versions, dtype=np.uint64) << np.uint64(32)))
    words = -(-size // 8)
    rows = stream(states[:, None], 0, words).astype("<u8", copy=False)
    return np.ascontiguousarray(rows).view(np.uint8)[:, :size]


def changed(round_number, count, total):
    """The ids that a round changes: count distinct numbers below total."""
    state = mix(np.array([round_number], dtype=np.uint64))
    found, seen, first = [], set(), 0
    while len(found) < count:
        for value in (stream(state, first, 2 * count) % np.uint64(total)).tolist():
            if value not in seen and len(found) < count:
                seen.add(value)
                found.append(value)
        first += 2 * count
    return found


def blocks(total, step=4096):
    """(first, last + 1) of consecutive runs that cover 0 ..< total."""
    return ((first, min(first + step, total)) for first in range(0, total, step))


def floats(states, count, scale):
    """Rows of float32, one per state: each 64-bit word gives two numbers between -1 and 1 times
    scale, the low half first, each the upper 24 bits of a signed half as a fraction."""
    words = stream(np.asarray(states, dtype=np.uint64)[:, None], 0, -(-count // 2))
    halves = words.astype("<u8", copy=False).view("<i4")[:, :count] >> 8
    return halves.astype(np.float32) * np.float32(2.0**-23) * np.float32(scale)


def noise(tag, count, scale):
    """`count` numbers of the stream with a tag."""
    return floats(mix(np.array([tag], dtype=np.uint64)), count, scale)[0]
