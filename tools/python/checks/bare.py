"""Uses an installed wheel: commits a model from memory, reads it back in place, and prints what it did."""

import sys

import numpy as np

import cambium

store = cambium.init(sys.argv[1])
weights = {"w": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.zeros(4, np.float16)}
commit = store.commit(weights, message="from memory", branch="main")
snapshot = store["main"]
read = snapshot.get_tensor("w")
assert (read == weights["w"]).all() and not read.flags.writeable
assert snapshot.id == commit.id
# numpy's own OpenBLAS is untouched.
product = np.ones((64, 64)) @ np.ones((64, 64))
assert (product == 64).all()
print("cambium", cambium.version(), "commit", commit.id[:12])
