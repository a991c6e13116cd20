"""Small peer-lm checkpoints of the standard library alone: a few experts, seeded numbers."""
import array, hashlib, json, os, random, struct

CONFIG = {
    "architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 2, "num_heads": 2,
    "context_length": 32, "ffn_size": 16, "rms_norm_eps": 1e-05, "rope_theta": 10000, "peer_layers": [0, 1],
    "peer": {"sub_keys": 8, "heads": 1, "top_k": 2, "key_size": 8},
}
HIDDEN, EXPERTS = CONFIG["hidden_size"], CONFIG["peer"]["sub_keys"] ** 2


class Model:
    """Tensors by name: shape and the bytes of their F32 numbers."""

    def __init__(self, tensors, config=CONFIG):
        self.tensors, self.config = tensors, config

    @classmethod
    def made(cls, seed, filler=0):
        """A model of random numbers; `filler` adds a tensor of so many bytes that is no expert's."""
        source = random.Random(seed)

        def numbers(*shape, around=0.0):
            count = 1
            for size in shape:
                count *= size
            return list(shape), array.array("f", [around + source.uniform(-0.1, 0.1) for _ in range(count)]).tobytes()

        tensors = {
            "lm_head.weight": numbers(256, HIDDEN), "model.embed_tokens.weight": numbers(256, HIDDEN),
            "model.norm.weight": numbers(HIDDEN, around=1),
        }
        for layer in range(CONFIG["num_layers"]):
            name = f"model.layers.{layer}."
            for norm in ("input_layernorm", "post_attention_layernorm", "peer_layernorm"):
                tensors[f"{name}{norm}.weight"] = numbers(HIDDEN, around=1)
            for part in "qkvo":
                tensors[f"{name}self_attn.{part}_proj.weight"] = numbers(HIDDEN, HIDDEN)
            for part in ("gate", "up", "down"):
                tensors[f"{name}mlp.{part}_proj.weight"] = numbers(16, HIDDEN)
            tensors[f"{name}peer.query.weight"] = numbers(8, HIDDEN)
            tensors[f"{name}peer.sub_keys"] = numbers(2, 8, 4)
            for part in ("down", "up"):
                tensors[f"{name}peer.{part}.weight"] = numbers(EXPERTS, HIDDEN)
        if filler:
            tensors["filler"] = [filler // 4], source.randbytes(filler // 4 * 4)
        return cls(tensors)

    def changed(self, seed, experts=6, layer=0, dense=False):
        """A copy in which some experts, and with `dense` a norm, have other numbers."""
        source = random.Random(seed)
        tensors = dict(self.tensors)
        name = f"model.layers.{layer}.peer.up.weight"
        rows = bytearray(tensors[name][1])
        # Fewer experts of one seed are the first of more.
        for row in source.sample(range(EXPERTS), EXPERTS)[:experts]:
            own = random.Random(f"{seed} {row}")
            rows[row * HIDDEN * 4:(row + 1) * HIDDEN * 4] = array.array(
                "f", [own.uniform(-1, 1) for _ in range(HIDDEN)]).tobytes()
        tensors[name] = tensors[name][0], bytes(rows)
        if dense:
            shape, old = tensors["model.norm.weight"]
            tensors["model.norm.weight"] = shape, array.array("f", [source.uniform(0.9, 1.1) for _ in range(HIDDEN)]).tobytes()
        return Model(tensors, self.config)

    def stepped(self, seed):
        """A copy of which one element in 50 of every tensor went up by a unit in the last place."""
        source, tensors = random.Random(seed), {}
        for name, (shape, data) in self.tensors.items():
            words = array.array("I", data)
            for at in range(source.randrange(50), len(words), 50):
                words[at] += 1
            tensors[name] = shape, words.tobytes()
        return Model(tensors, self.config)

    @property
    def file(self):
        return safetensors(self.tensors)

    @property
    def digest(self):
        """Of the exported model.safetensors."""
        return hashlib.sha256(self.file).hexdigest()

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        with open(folder + "/config.json", "w") as file:
            json.dump(self.config, file)
        with open(folder + "/model.safetensors", "wb") as file:
            file.write(self.file)
        return folder


def safetensors(tensors):
    """The bytes of a file of tensors: {name: ([sizes], bytes)}; all F32, but for those of I64 named `….rows`."""
    header, data = {}, b""
    for name in sorted(tensors):
        shape, content = tensors[name]
        header[name] = {
            "dtype": "I64" if name.endswith(".rows") else "F32", "shape": shape,
            "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def patch(seed, rows=4):
    """A patch file's bytes: some rows of one table of experts."""
    source = random.Random(seed)
    name = "model.layers.1.peer.down.weight"
    picked = sorted(source.sample(range(EXPERTS), rows))
    numbers = array.array("f", [source.uniform(-1, 1) for _ in range(rows * HIDDEN)]).tobytes()
    return safetensors({name: ([rows, HIDDEN], numbers), name + ".rows": ([rows], array.array("q", picked).tobytes())})
