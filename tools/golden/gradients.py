"""Makes Tests/TrainingTests/Fixtures/gradients.{json,bin}: weights, loss and gradients of a tiny peer-lm by PyTorch.

    python3 tools/golden/gradients.py REFERENCE    the folder with the reference's model.py

The .bin holds float32 little-endian: the weights of all tensors in the order of the .json, then their gradients.
"""
import json, os, sys
sys.path.insert(0, sys.argv[1])
import torch, torch.nn.functional as F
from model import PeerLM

CONFIG = {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 2, "num_heads": 2,
          "context_length": 12, "ffn_size": 24, "rms_norm_eps": 1e-5, "rope_theta": 10000, "peer_layers": [1],
          "peer": {"sub_keys": 5, "heads": 2, "top_k": 3, "key_size": 8}}
torch.manual_seed(5)
torch.set_num_threads(1)
model = PeerLM(CONFIG)
torch.nn.init.normal_(model.lm_head.weight, std=0.3)
tokens = torch.randint(0, 256, (2, 13))
loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
loss.backward()
names = dict(model.named_parameters())
folder = os.path.join(os.path.dirname(__file__), "../..", "Tests", "TrainingTests", "Fixtures")
os.makedirs(folder, exist_ok=True)
with open(folder + "/gradients.bin", "wb") as out:
    for p in names.values():
        out.write(p.detach().contiguous().numpy().tobytes())
    for p in names.values():
        out.write(p.grad.contiguous().numpy().tobytes())
json.dump({"config": CONFIG, "tokens": tokens.tolist(), "loss": loss.item(),
           "tensors": [{"name": n, "shape": list(p.shape)} for n, p in names.items()]},
          open(folder + "/gradients.json", "w"), indent=1)
print("loss", loss.item())
