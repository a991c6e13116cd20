"""Checkpoints that change a little at a time: the model as elements of 16 bits, and what each step changes of it."""
import json, math, os, re

import numpy as np

EXPERT = re.compile(r"(.*\.experts\.\d+)\.")


class Model:
    """A safetensors file of BF16 tensors: its header, and its elements in one array, whose bits are the values."""

    def __init__(self, header, config, elements):
        self.header, self.config, self.elements = header, config, elements
        entries = json.loads(header[8:])
        entries.pop("__metadata__", None)
        self.tensors = []  # (name, first element, elements), in the file's order
        for name, entry in sorted(entries.items(), key=lambda pair: pair[1]["data_offsets"]):
            if entry["dtype"] != "BF16": raise ValueError(f"{name} is {entry['dtype']}, not BF16")
            begin, end = entry["data_offsets"]
            self.tensors.append((name, begin // 2, (end - begin) // 2))
        self.bytes = len(header) + elements.nbytes

    @classmethod
    def made(cls, shapes, config, random):
        """A model of random weights, of {name: shape}."""
        entries, count = {}, 0
        for name, shape in shapes.items():
            size = math.prod(shape)
            entries[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [2 * count, 2 * (count + size)]}
            count += size
        elements = np.empty(count, np.uint16)
        for start in range(0, count, 1 << 22):
            part = elements[start:start + (1 << 22)]
            part[:] = values(random, len(part))
        return cls(header(entries), config, elements)

    @classmethod
    def read(cls, folder):
        with open(f"{folder}/model.safetensors", "rb") as file:
            length = file.read(8)
            head = length + file.read(int.from_bytes(length, "little"))
        with open(f"{folder}/config.json") as file: config = json.load(file)
        return cls(head, config, cls.elements_of(f"{folder}/model.safetensors", len(head)))

    @staticmethod
    def elements_of(path, at): return np.fromfile(path, np.uint16, offset=at)

    def write(self, folder):
        """The checkpoint, on the disk when this returns."""
        os.makedirs(folder, exist_ok=True)
        if self.config:
            with open(f"{folder}/config.json", "w") as file: json.dump(self.config, file)
        with open(f"{folder}/model.safetensors", "wb") as file:
            file.write(self.header)
            self.elements.tofile(file)
            file.flush()
            os.fsync(file.fileno())

    def groups(self, limit=None):
        """[(name, first, elements)] of each expert and of each other tensor, up to a number of elements."""
        found = {}
        for name, first, count in self.tensors:
            if limit and first + count > limit: break
            match = EXPERT.match(name)
            key = match[1] if match else name
            before = found.get(key)
            # The parts of an expert lie side by side; one that does not has a key of its own.
            if before and sum(before) == first: found[key] = (before[0], before[1] + count)
            else: found[name if before else key] = (first, count)
        return [(name, *place) for name, place in found.items()]


def header(entries):
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def values(random, count):
    """BF16 numbers as weights have them, normal of deviation 0.02."""
    wide = random.standard_normal(count, np.float32) * np.float32(0.02)
    return (wide.view(np.uint32) >> 16).astype(np.uint16)


class Case:
    """A model and its steps: each changes `model.elements` and gives what it changed, (sorted indices, values)."""

    def __init__(self, name, model, steps, changes):
        self.name, self.model, self.steps, self.changes = name, model, steps, changes
        # Steps that are read back and compared: the first, the middle one and the last.
        self.marked = sorted({1, max(1, steps // 2), steps})

    def __iter__(self):
        for number, (index, value) in enumerate(self.changes, 1):
            self.model.elements[index] = value
            yield number, index, value


def synthetic(size, steps):
    """A Qwen3-MoE of random weights of which 1 % go up or down by one unit in the last place."""
    hidden, experts, vocabulary = (1024, 64, 8192) if size >= 1 << 28 else (256, 16, 1024)
    inner, heads, random = hidden // 2, 8, np.random.default_rng(1)
    head = hidden // heads
    layer = {"input_layernorm.weight": [hidden], "post_attention_layernorm.weight": [hidden],
             **{f"self_attn.{part}_norm.weight": [head] for part in "qk"},
             **{f"self_attn.{part}_proj.weight": [hidden, hidden] for part in "qkvo"},
             "mlp.gate.weight": [experts, hidden]}
    for number in range(experts):
        for part in ("gate", "up"): layer[f"mlp.experts.{number}.{part}_proj.weight"] = [inner, hidden]
        layer[f"mlp.experts.{number}.down_proj.weight"] = [hidden, inner]
    layers = max(1, (size // 2 - vocabulary * hidden) // sum(map(math.prod, layer.values())))
    shapes = {"model.embed_tokens.weight": [vocabulary, hidden], "model.norm.weight": [hidden]}
    for number in range(layers): shapes |= {f"model.layers.{number}.{name}": shape for name, shape in layer.items()}
    config = {"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"], "num_experts": experts,
              "num_experts_per_tok": 4, "hidden_size": hidden, "moe_intermediate_size": inner,
              "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
              "num_key_value_heads": heads, "head_dim": head, "vocab_size": vocabulary,
              "tie_word_embeddings": True, "torch_dtype": "bfloat16"}
    model = Model.made(shapes, config, random)

    def changes():
        count = len(model.elements)
        for _ in range(steps):
            index = np.unique(random.integers(0, count, count // 100, np.uint32))
            up = random.integers(0, 2, len(index), np.uint16)
            yield index, model.elements[index] + (up * np.uint16(2) - np.uint16(1))

    return Case("synthetic", model, steps, changes())


def rows(size, steps):
    """A model without a known layout, of which 1 % of the rows of each large tensor become others."""
    columns, random = 2048, np.random.default_rng(2)
    height = 8192 if size >= 1 << 28 else 1024
    shapes = {f"tower.{number}.table": [height, columns] for number in range(max(1, size // (2 * columns * height)))}
    model = Model.made({**shapes, "tower.scale": [columns]}, None, random)

    def changes():
        for _ in range(steps):
            chosen = np.concatenate([number * height + np.sort(random.choice(height, height // 100, replace=False))
                                     for number in range(len(shapes))])
            index = (chosen[:, None] * columns + np.arange(columns)).ravel().astype(np.uint32)
            yield index, values(random, len(index))

    return Case("rows", model, steps, changes())


def trained(folder, rate, steps):
    """What training at a rate changed, as torch_steps.py kept it."""
    def changes():
        with open(f"{folder}/rate-{rate}.npy", "rb") as file:
            for _ in range(steps): yield np.load(file), np.load(file)

    return Case(f"trained, {rate}", Model.read(f"{folder}/base"), steps, changes())
