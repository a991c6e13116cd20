"""Makes Tests/CheckpointSupport/Fixtures/logits-coded-FORM.json: what transformers computes of checkpoints whose weights are codes and
scales, when these are multiplied out first, by the code below and in fp32.

    CAMBIUM_WRITE_CHECKPOINTS=/tmp/checkpoints tools/test --filter WriteCheckpoints
    python3 tools/golden/coded.py /tmp/checkpoints [FORM...]        needs numpy, torch and transformers 5.23

Of 32 tokens the logits of the last 8; of 8 tokens the 16 that follow greedily
"""
import base64, json, os, random, struct, sys, tempfile
import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM

ROWS = 8
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..", "Tests", "CheckpointSupport", "Fixtures")
torch.set_num_threads(1)
source = random.Random(20)
tokens = [1] + [source.randrange(3, 256) for _ in range(31)]
prompt = tokens[:8]
E2M1 = np.array([0, .5, 1, 1.5, 2, 3, 4, 6, 0, -.5, -1, -1.5, -2, -3, -4, -6], dtype=np.float32)
E4M3 = np.array([(-1) ** (c >> 7) * ((c & 7) / 512 if (c >> 3 & 15) == 0 else 2. ** ((c >> 3 & 15) - 7) * (1 + (c & 7) / 8))
                 for c in range(256)], dtype=np.float32)
E4M3[[0x7f, 0xff]] = np.nan


def read(path):
    """By name dtype, shape and bytes."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


def floats(tensor):
    dtype, shape, data = tensor
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return np.frombuffer(data, {"F32": "<f4", "F16": "<f2"}[dtype]).astype(np.float32).reshape(shape)


def nibbles(data):
    codes = np.frombuffer(data, np.uint8)
    return np.stack([codes & 15, codes >> 4], axis=-1).reshape(-1)


def words(data, shape, order=range(8)):
    """Eight codes of each word, one after the other."""
    packed = np.frombuffer(data, "<u4").reshape(shape)
    codes = np.empty(list(shape) + [8], np.float32)
    for place, number in enumerate(order):
        codes[..., number] = packed >> np.uint32(4 * place) & 15
    return codes


def by_columns(stored, module, config):
    """AWQ's and GPTQ's codes with zero points, as [outputs, inputs]."""
    qweight, qzeros = stored[module + "qweight"], stored[module + "qzeros"]
    if config["quant_method"] == "awq":
        order = [0, 2, 4, 6, 1, 3, 5, 7]
        codes = words(qweight[2], qweight[1], order)
        codes = codes.reshape(codes.shape[0], -1)
        zeros = words(qzeros[2], qzeros[1], order)
    else:
        codes = words(qweight[2], qweight[1]).transpose(0, 2, 1)
        codes = codes.reshape(-1, codes.shape[-1])
        zeros = words(qzeros[2], qzeros[1]) + 1
    groups = np.arange(codes.shape[0]) // config["group_size"]
    zeros = zeros.reshape(zeros.shape[0], -1)
    return np.ascontiguousarray(((codes - zeros[groups]) * floats(stored[module + "scales"])[groups]).T)


def spread(scales, shape, rows, columns):
    """Each scale over its block."""
    scales = scales.reshape(scales.shape if scales.ndim == 2 else (1, 1))
    return scales.repeat(min(rows, shape[0]), 0).repeat(min(columns, shape[1]), 1)[:shape[0], :shape[1]]


def blocks(config):
    if config["quant_method"] == "fp8":
        return config["weight_block_size"]
    weights = config["config_groups"]["group_0"]["weights"]
    return {"tensor": (1 << 20, 1 << 20), "channel": (1, 1 << 20), "group": (1, weights["group_size"])}[weights["strategy"]]


def multiplied_out(folder):
    """The tensors as floats, by name."""
    config = json.load(open(f"{folder}/config.json"))["quantization_config"]
    stored, out = read(f"{folder}/model.safetensors"), {}
    for name, tensor in stored.items():
        if name.endswith("_blocks"):
            shape = tensor[1][:2] + [tensor[1][2] * 32]
            scales = np.frombuffer(stored[name[:-6] + "scales"][2], np.uint8).astype(np.int32) - 127
            values = E2M1[nibbles(tensor[2])].reshape(-1, 32) * np.exp2(scales.astype(np.float32))[:, None]
            out[name[:-7]] = np.ascontiguousarray(values.reshape(shape).transpose(0, 2, 1))
        elif name.endswith("weight_packed"):
            module = name[:-len("weight_packed")]
            shape = np.frombuffer(stored[module + "weight_shape"][2], "<i8")
            codes = nibbles(tensor[2]).reshape(shape).astype(np.float32) - 8
            out[module + "weight"] = codes * spread(floats(stored[module + "weight_scale"]), shape, *blocks(config))
        elif name.endswith("qweight"):
            out[name[:-len("qweight")] + "weight"] = by_columns(stored, name[:-len("qweight")], config)
        elif tensor[0] == "F8_E4M3":
            scale = next(stored[name + end] for end in ("_scale_inv", "_scale") if name + end in stored)
            shape = tensor[1]
            codes = E4M3[np.frombuffer(tensor[2], np.uint8)].reshape(shape)
            out[name] = codes * spread(floats(scale), shape, *blocks(config))
        elif not name.endswith(("_scale", "_scale_inv", "_scales", "weight_shape", ".scales", ".qzeros", ".g_idx")):
            out[name] = floats(tensor)
    return out


def logits(folder):
    with tempfile.TemporaryDirectory() as plain:
        save_file(multiplied_out(folder), f"{plain}/model.safetensors", {"format": "pt"})
        config = json.load(open(f"{folder}/config.json"))
        del config["quantization_config"]
        json.dump(dict(config, dtype="float32"), open(f"{plain}/config.json", "w"))
        model = AutoModelForCausalLM.from_pretrained(plain, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        rows = model(torch.tensor([tokens])).logits[0]
        text = list(prompt)
        for _ in range(16):
            text.append(int(model(torch.tensor([text])).logits[0, -1].argmax()))
    return rows, text


for form in sys.argv[2:] or sorted(os.listdir(f"{sys.argv[1]}/coded")):
    rows, text = logits(f"{sys.argv[1]}/coded/{form}")
    best = rows.topk(2, dim=-1).values
    print(form, text[8:], "least lead", (best[:, 0] - best[:, 1]).min().item())
    with open(f"{FOLDER}/logits-coded-{form}.json", "w") as out:
        json.dump({"tokens": tokens, "prompt": prompt, "continued": text, "rows": ROWS,
                   "logits": base64.b64encode(rows[-ROWS:].contiguous().numpy().tobytes()).decode()}, out, indent=1)
