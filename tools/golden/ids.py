#!/usr/bin/env python3
"""Computes the golden ids of Tests/SnapshotsTests/GoldenTests.swift from docs/format.md alone.

A second implementation of Cambium's naming rules in a page of Python: what it prints must equal what
the Swift code computes. Needs nothing but the standard library.
"""
import hashlib
import struct

ZERO = bytes(32)
F32, U8 = 12, 2
COMMIT, TREE, TRUNK, LAYER, LAYOUT, FILE, TENSOR, NEURON = 1, 2, 3, 4, 5, 6, 7, 8
PRODUCT_KEY = 2


def sha(data):
    return hashlib.sha256(data).digest()


def shape(dtype, dimensions):
    return struct.pack("<BBH", dtype, len(dimensions), 0) + struct.pack(f"<{len(dimensions)}Q", *dimensions)


def object_id(kind, parts, payload):
    """SHA-256 of the object header, then the raw data of all parts."""
    return sha(b"CMBO" + struct.pack("<BBH", kind, len(parts), 0) + b"".join(shape(*p) for p in parts) + payload)


def record_id(kind, payload):
    """Records and files are one part of bytes."""
    return object_id(kind, [(U8, [len(payload)])], payload)


def text(value):
    raw = value.encode()
    return struct.pack("<I", len(raw)) + raw


def table(entries, encode):
    names = sorted(entries, key=lambda name: name.encode())
    return struct.pack("<I", len(names)) + b"".join(text(n) + encode(entries[n]) for n in names)


def tensors(entries):
    return table(entries, lambda entry: shape(*entry[0]) + entry[1])


def array_root(ids):
    level, height = list(ids), 1
    while len(level) > 1:
        groups = [level[i:i + 16] for i in range(0, len(level), 16)]
        level = [sha(b"CMBN" + struct.pack("<BBH", height, len(g), 0) + b"".join(g)) for g in groups]
        height += 1
    return sha(b"CMBA" + struct.pack("<Q", len(ids)) + (level[0] if level else ZERO))


def floats(count, start):
    """start, start + 1, ...: exact in Float."""
    return struct.pack(f"<{count}f", *(float(start + i) for i in range(count)))


def main():
    tensor = object_id(TENSOR, [(F32, [2, 3])], floats(6, 0))
    print("tensor         ", tensor.hex())
    experts = [object_id(NEURON, [(F32, [4]), (F32, [4])], floats(8, 100 * i)) for i in range(300)]
    print("expert 7       ", experts[7].hex())
    for count in (0, 1, 16, 17, 300):
        print(f"array of {count:3}   ", array_root(experts[:count]).hex())
    print("array with gap ", array_root(experts[:3] + [ZERO] + experts[4:20]).hex())

    norm = object_id(TENSOR, [(F32, [3])], floats(3, 7))
    keys = object_id(TENSOR, [(F32, [20, 2])], floats(40, 1))
    trunk = record_id(TRUNK, struct.pack("<I", 1) + tensors({
        "embed": ((F32, [2, 3]), tensor), "norm": ((F32, [3]), norm)}))
    adapter = (struct.pack("<BBH", NEURON, PRODUCT_KEY, 2) + shape(F32, [4]) + shape(F32, [4])
              + struct.pack("<Q", 20) + array_root(experts[:20]) + tensors({"keys": ((F32, [20, 2]), keys)}))
    layer = record_id(LAYER, struct.pack("<I", 1) + table({"base": adapter}, lambda raw: raw))
    config = record_id(FILE, b'{"layers":1}')
    tree = record_id(TREE, struct.pack("<I", 1) + text("golden") + table({"config.json": config}, lambda i: i)
                     + ZERO + trunk + struct.pack("<II", 1, 4) + layer)
    print("trunk          ", trunk.hex())
    print("layer          ", layer.hex())
    print("tree           ", tree.hex())
    commit = record_id(COMMIT, struct.pack("<I", 1) + tree + struct.pack("<I", 0) + struct.pack("<q", 1_700_000_000)
                       + text("Ada") + text("first light") + table({"policy": "mean"}, text)
                       + table({"bpb": 2.5}, lambda value: struct.pack("<d", value)))
    print("commit         ", commit.hex())
    child = record_id(COMMIT, struct.pack("<I", 1) + tree + struct.pack("<I", 1) + commit
                      + struct.pack("<q", -1) + text("") + text("") + table({}, text) + table({}, text))
    print("child          ", child.hex())


if __name__ == "__main__":
    main()
