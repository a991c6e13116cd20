"""What `inference` measures, in its full and in its quick size, and the targets."""
import dataclasses

NAMES = ("layer", "products", "cold", "kinds", "generate", "eval", "recall")
BATCHES = (1, 32, 512)
# Tokens of a round, by batch.
COUNTS = {1: 64, 32: 512, 512: 1024}
# Shares of the best PyTorch form, by batch, and of the random-row floor.
LAYER_TARGETS = {"fp32": {1: 0.35, 32: 0.5, 512: 0.6}, "int8": {1: 0.2, 32: 0.35, 512: 0.45}}
EXPERTS_TARGET = 1.3
PRODUCT_TARGET = 0.7
COLD_TARGET = 1.3
GENERATE_TARGET = 8
EVAL_TARGET = 2
RECALL_BITS_TARGET = 0.002
MILLION = 1 << 20


@dataclasses.dataclass(frozen=True)
class Layer:
    """A PEER layer of first x second experts, width 256, 8 heads, k = 16, half keys of 128."""
    first: int
    second: int
    sets: int
    rounds: int

    @property
    def experts(self): return self.first * self.second

    def label(self):
        keys = "shared" if self.sets == 1 else "per-head"
        return f"N = 2^{self.experts.bit_length() - 1}, {keys} keys"

    def judged(self): return self.experts == MILLION and self.sets > 1


@dataclasses.dataclass(frozen=True)
class Product:
    """out[tokens, rows] = x[tokens, columns] W^T."""
    what: str
    tokens: int
    rows: int
    columns: int
    rounds: int = 9

    def label(self): return f"{self.what}, {self.tokens} x {self.columns} x {self.rows}"

    def count(self):
        """Repetitions that take some milliseconds."""
        return max(1, int(2e8 / (self.tokens * self.rows * self.columns)))


SHAPES = (("query", 2048, 256), ("sub-keys", 1024, 128), ("peer-lm attention", 128, 128),
          ("peer-lm up", 256, 128), ("peer-lm down", 128, 256), ("peer-lm head", 256, 128))

FULL = {
    "layer": [Layer(first, second, sets, 9) for first, second in
              ((1024, 1024), (512, 256), (2048, 2048)) for sets in (8, 1)],
    "products": [Product(what, tokens, rows, columns) for what, rows, columns in SHAPES
                 for tokens in BATCHES],
    "cold": {"sub_keys": 1024, "tokens": (1, 100, 10_000), "rounds": 3,
             "limits": (100 << 20, 400 << 20), "limit_tokens": 10_000},
    "kinds": {"bits": tuple(range(14, 23)), "linear_bits": 18, "rounds": 7, "batches": (1, 512)},
    "generate": {"count": 128, "batches": (1, 16), "rounds": 5},
    "eval": {"bytes": 1_000_000, "rounds": 2, "peer_batches": (1, 16)},
    "recall": {"bytes": 50_000},
}

QUICK = {
    "layer": [Layer(128, 128, sets, 3) for sets in (8, 1)],
    "products": [Product(what, 32, rows, columns, 3) for what, rows, columns in SHAPES[:2]],
    "cold": {"sub_keys": 64, "tokens": (1, 100), "rounds": 1, "limits": (64 << 20,), "limit_tokens": 100},
    "kinds": {"bits": (14, 15), "linear_bits": 14, "rounds": 3, "batches": (1, 32)},
    "generate": {"count": 32, "batches": (1, 4), "rounds": 2},
    "eval": {"bytes": 20_000, "rounds": 1, "peer_batches": (1,)},
    "recall": {"bytes": 2_000},
}
