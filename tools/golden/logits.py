"""Makes Tests/CheckpointSupport/Fixtures/logits-FAMILY.json: what transformers computes of the checkpoints that the tests make.

    CAMBIUM_WRITE_CHECKPOINTS=/tmp/checkpoints tools/test --filter WriteCheckpoints
    python3 tools/golden/logits.py /tmp/checkpoints [FAMILY...]        needs torch and transformers 5.23

Of 32 tokens the logits of the last 8, in fp32, of the fp32 and of the bf16 weights; of 8 tokens the 16 that follow greedily (both)
"""
import base64, json, os, random, sys
import torch
from transformers import AutoModelForCausalLM

ROWS = 8
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..", "Tests", "CheckpointSupport", "Fixtures")
torch.set_num_threads(1)
source = random.Random(20)
tokens = [1] + [source.randrange(3, 256) for _ in range(31)]
prompt = tokens[:8]


def logits(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        rows = model(torch.tensor([tokens])).logits[0]
        text = list(prompt)
        for _ in range(16):
            text.append(int(model(torch.tensor([text])).logits[0, -1].argmax()))
    return rows, text


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
