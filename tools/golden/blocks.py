"""Makes Tests/CheckpointSupport/Fixtures/blocks.json: floats in blocks of 32, what the gguf package makes of them as Q8_0 and Q4_0,
and the floats that it reads from that.

    python3 tools/golden/blocks.py                          needs numpy and gguf 0.17 or later (PyPI)
"""
import base64, json, os
import numpy as np
from gguf import quants

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..", "Tests", "CheckpointSupport", "Fixtures")
source = np.random.default_rng(31)
blocks = []
for scale in [1, 0.02, 3e-5, 1e-7, 2e4]:
    blocks.append(source.standard_normal((8, 32)) * scale)
# As BF16 has them, halves of codes, and equal magnitudes of both signs.
blocks.append((source.standard_normal((8, 32)).astype(np.float32).view(np.uint32) & 0xffff0000).view(np.float32))
blocks.append(source.integers(-254, 255, (8, 32)) / 2 * 0.125)
blocks.append(source.integers(-16, 17, (8, 32)) / 2 * 0.25)
blocks.append(np.zeros((1, 32)))
blocks.append(np.where(np.arange(32) == 9, -0.0, 0)[None])
values = np.concatenate(blocks).astype("<f4")


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


told = {"values": text(values)}
for name, kind in [("q8", quants.Q8_0), ("q4", quants.Q4_0)]:
    packed = kind.quantize_blocks(values)
    told[name] = text(packed)
    told[name + "_values"] = text(kind.dequantize_blocks(packed).astype("<f4"))
with open(os.path.join(FOLDER, "blocks.json"), "w") as file:
    json.dump(told, file, indent=1)
    file.write("\n")
