"""Makes Tests/CheckpointSupport/Fixtures/logits-FAMILY.json: what transformers computes of the checkpoints that the tests make.

    CAMBIUM_WRITE_CHECKPOINTS=/tmp/checkpoints tools/test --filter WriteCheckpoints
    python3 tools/golden/logits.py /tmp/checkpoints [FAMILY...]        needs torch and transformers 5.23

Of 32 tokens the logits of the last 3 (of the first families 8), in fp32, of the fp32 and of the bf16 weights; of 8 tokens the 16 that follow greedily (both)
"""
import base64, json, os, random, re, sys
import torch, transformers
from safetensors.torch import load_file

ROWS = 3
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..", "Tests", "CheckpointSupport", "Fixtures")
torch.set_num_threads(1)
source = random.Random(20)
tokens = [1] + [source.randrange(3, 256) for _ in range(31)]
prompt = tokens[:8]


def stacked(folder):
    """The weights of experts that the library reads stacked alone."""
    tensors = load_file(f"{folder}/model.safetensors")
    blocks = {}
    for name in [name for name in tensors if ".experts." in name]:
        block, expert, part = re.fullmatch(r"(.*\.experts)\.(\d+)\.(\w+)_proj\.weight", name).groups()
        blocks.setdefault(block, {})[part, int(expert)] = tensors.pop(name)
    for block, parts in blocks.items():
        def pile(part):
            return torch.stack([parts[part, expert] for expert in range(len(parts) // 3)])
        tensors[f"{block}.gate_up_proj"] = torch.cat([pile("gate"), pile("up")], dim=1)
        tensors[f"{block}.down_proj"] = pile("down")
    return tensors


def load(folder):
    with open(f"{folder}/config.json") as file:
        fields = json.load(file)
    family, name = fields["model_type"], fields["architectures"][0]
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    if family == "kimi_k2":
        # The library has it under another name.
        del fields["model_type"]
        options["config"] = transformers.DeepseekV3Config(**fields)
    if family == "mistral4":
        config = transformers.AutoConfig.from_pretrained(folder)
        return getattr(transformers, name).from_pretrained(None, config=config, state_dict=stacked(folder), **options)
    if family == "kimi_k2":
        return transformers.DeepseekV3ForCausalLM.from_pretrained(folder, **options)
    # Of a model that also sees, the language model.
    return transformers.AutoModelForCausalLM.from_pretrained(folder, **options)


def logits(folder):
    model = load(folder).eval()
    with torch.no_grad():
        rows = model(torch.tensor([tokens])).logits[0]
        text = list(prompt)
        for _ in range(16):
            text.append(int(model(torch.tensor([text])).logits[0, -1].argmax()))
    return rows, text


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    for family in sys.argv[2:] or sorted(os.listdir(f"{sys.argv[1]}/hf")):
        whole, text = logits(f"{sys.argv[1]}/hf/{family}/model")
        narrow, other = logits(f"{sys.argv[1]}/hf/{family}/model_bf16")
        best = whole.topk(2, dim=-1).values
        print(family, text[8:], "least lead", (best[:, 0] - best[:, 1]).min().item())
        encoded = [base64.b64encode(part[-ROWS:].contiguous().numpy().tobytes()).decode() for part in (whole, narrow)]
        with open(f"{FOLDER}/logits-{family}.json", "w") as out:
            json.dump({"tokens": tokens, "prompt": prompt, "continued": text, "continued_bf16": other, "rows": ROWS,
                       "logits": encoded[0], "logits_bf16": encoded[1]}, out, indent=1)
