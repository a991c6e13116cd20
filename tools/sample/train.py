"""Makes a small real model: a byte-level peer-lm trained on text given as files, and branches of it if asked
for. Needs PyTorch and safetensors; takes about 4 minutes.

    python3 train.py OUT --base gsm8k.txt shakespeare.txt

The base that it wrote is checked in beside it, so nobody needs to run it to use Cambium.
"""
import argparse, json, math, os, time
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import save_file

CONFIG = {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 64, "num_layers": 3,
          "num_heads": 2, "context_length": 128, "ffn_size": 128, "rms_norm_eps": 1e-5,
          "rope_theta": 10000, "peer_layers": [1],
          "peer": {"sub_keys": 32, "heads": 4, "top_k": 8, "key_size": 32}}
BATCH, EXPERTS_PER_BRANCH = 16, 128


def norm(x, weight, eps):
    y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
    return y if weight is None else y * weight


class PeerLM(nn.Module):
    """Parameters live in one dictionary under their checkpoint names; the forward reads them."""

    def __init__(self, c):
        super().__init__()
        self.c, d, f, p = c, c["hidden_size"], c["ffn_size"], c["peer"]
        self.w = nn.ParameterDict()
        def add(name, *shape, std=None):
            value = torch.ones(*shape) if std is None else torch.randn(*shape) * std
            self.w[name.replace(".", "/")] = nn.Parameter(value)
        add("model.embed_tokens.weight", c["vocab_size"], d, std=0.5)
        for i in range(c["num_layers"]):
            b = f"model.layers.{i}."
            for n in ("input_layernorm", "post_attention_layernorm"): add(b + n + ".weight", d)
            for n in "qkv": add(f"{b}self_attn.{n}_proj.weight", d, d, std=d ** -0.5)
            add(b + "self_attn.o_proj.weight", d, d, std=(d * 2 * c["num_layers"]) ** -0.5)
            for n in ("gate", "up"): add(f"{b}mlp.{n}_proj.weight", f, d, std=d ** -0.5)
            add(b + "mlp.down_proj.weight", d, f, std=(f * 2 * c["num_layers"]) ** -0.5)
            if i in c["peer_layers"]:
                n, k = p["sub_keys"], p["key_size"]
                add(b + "peer_layernorm.weight", d)
                add(b + "peer.query.weight", p["heads"] * k, d, std=d ** -0.5)
                add(b + "peer.sub_keys", 2, n, k // 2, std=(k // 2) ** -0.5)
                add(b + "peer.down.weight", n * n, d, std=d ** -0.5)
                add(b + "peer.up.weight", n * n, d, std=0.04)
        add("model.norm.weight", d)
        add("lm_head.weight", c["vocab_size"], d, std=0.02)

    def get(self, name): return self.w[name.replace(".", "/")]

    def attention(self, x, b):
        B, T, D = x.shape; H = self.c["num_heads"]; h = D // H
        q, k, v = ((x @ self.get(f"{b}self_attn.{n}_proj.weight").T).view(B, T, H, h).transpose(1, 2)
                   for n in "qkv")
        inv = 1.0 / self.c["rope_theta"] ** (torch.arange(0, h, 2, dtype=torch.float64) / h)
        f = torch.outer(torch.arange(T, dtype=torch.float64), inv).repeat(1, 2)
        cos, sin = f.cos().float(), f.sin().float()
        turn = lambda z: z * cos + torch.cat([-z[..., h // 2:], z[..., :h // 2]], -1) * sin
        o = F.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True)
        return o.transpose(1, 2).reshape(B, T, D) @ self.get(b + "self_attn.o_proj.weight").T

    def peer(self, x, b, picks):
        p = self.c["peer"]; n, k = p["sub_keys"], p["top_k"]; shape = x.shape
        x = x.reshape(-1, shape[-1])
        q = norm((x @ self.get(b + "peer.query.weight").T).view(len(x), p["heads"], 2, -1), None, 1e-6)
        keys = self.get(b + "peer.sub_keys")
        va, ia = (q[:, :, 0] @ keys[0].T).topk(k); vb, ib = (q[:, :, 1] @ keys[1].T).topk(k)
        v, j = (va[..., :, None] + vb[..., None, :]).flatten(-2).topk(k)
        ids = (ia.gather(-1, j // k) * n + ib.gather(-1, j % k)).flatten(1)
        gates = v.softmax(-1).flatten(1)
        if picks is not None: picks.append(ids)
        u, w = self.get(b + "peer.down.weight")[ids], self.get(b + "peer.up.weight")[ids]
        a = gates * F.gelu(torch.einsum("tkd,td->tk", u, x))
        return torch.einsum("tk,tkd->td", a, w).view(shape)

    def forward(self, ids, picks=None):
        eps = self.c["rms_norm_eps"]
        x = self.get("model.embed_tokens.weight")[ids]
        for i in range(self.c["num_layers"]):
            b = f"model.layers.{i}."
            x = x + self.attention(norm(x, self.get(b + "input_layernorm.weight"), eps), b)
            h = norm(x, self.get(b + "post_attention_layernorm.weight"), eps)
            gate, up = (h @ self.get(f"{b}mlp.{n}_proj.weight").T for n in ("gate", "up"))
            x = x + (F.silu(gate) * up) @ self.get(b + "mlp.down_proj.weight").T
            if i in self.c["peer_layers"]:
                x = x + self.peer(norm(x, self.get(b + "peer_layernorm.weight"), eps), b, picks)
        return norm(x, self.get("model.norm.weight"), eps) @ self.get("lm_head.weight").T


def batch(texts, rng, length):
    rows = []
    for _ in range(BATCH):
        text = texts[rng.integers(len(texts))]; start = rng.integers(len(text) - length)
        rows.append(text[start:start + length])
    return torch.from_numpy(np.stack(rows).astype(np.int64))


def fit(model, groups, texts, seconds, rng, masks=()):
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    rates = [g["lr"] for g in optimiser.param_groups]
    start, step, losses = time.time(), 0, []
    while (share := (time.time() - start) / seconds) < 1:
        scale = min(1, (step + 1) / 50) * (0.02 + 0.49 * (1 + math.cos(math.pi * share)))
        for group, rate in zip(optimiser.param_groups, rates): group["lr"] = rate * scale
        x = batch(texts, rng, model.c["context_length"] + 1)
        loss = F.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        optimiser.zero_grad(set_to_none=True); loss.backward()
        for parameter, mask in masks: parameter.grad.mul_(mask)
        nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], 1.0)
        optimiser.step(); step += 1; losses.append(loss.item())
        if step % 200 == 0: print(f"{step} steps, {np.mean(losses[-200:]) / math.log(2):.3f} bits/byte")
    return step


def save(model, folder):
    os.makedirs(folder, exist_ok=True)
    tensors = {k.replace("/", "."): v.detach().contiguous() for k, v in model.w.items()}
    save_file(tensors, f"{folder}/model.safetensors", {"format": "pt"})
    with open(f"{folder}/config.json", "w") as f: json.dump(model.c, f)


def picks_of(model, texts, rng, batches=24):
    picks = []
    with torch.no_grad():
        for _ in range(batches): model(batch(texts, rng, model.c["context_length"]), picks)
    return torch.cat(picks)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out"); parser.add_argument("--base", nargs="+", required=True)
    parser.add_argument("--branch", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=240)
    args = parser.parse_args()
    read = lambda path: np.frombuffer(open(path, "rb").read(), np.uint8)
    texts = [read(path) for path in args.base]
    torch.manual_seed(1); rng = np.random.default_rng(1)
    model = PeerLM(CONFIG)
    print("base", fit(model, [{"params": list(model.w.values()), "lr": 3e-3, "weight_decay": 0.01}],
                      texts, args.seconds, rng), "steps")
    save(model, f"{args.out}/base")
    start = {k: v.detach().clone() for k, v in model.w.items()}
    experts = CONFIG["peer"]["sub_keys"] ** 2
    for path in args.branch:
        with torch.no_grad():
            for k, v in model.w.items(): v.copy_(start[k])
        for p in model.w.values(): p.requires_grad_(False)
        text, rng = [read(path)], np.random.default_rng(7)
        # The experts that this text uses most, relative to the base's texts (TF-IDF).
        mine = torch.bincount(picks_of(model, text, rng).flatten(), minlength=experts).float()
        seen = picks_of(model, texts, rng)
        df = torch.zeros(experts).index_add_(0, seen.unique(), torch.ones(len(seen.unique())))
        common = torch.bincount(seen.flatten(), minlength=experts) / len(seen)
        score = mine / mine.sum() * torch.log(1 / (common + 1e-3))
        chosen = score.topk(EXPERTS_PER_BRANCH).indices
        mask = torch.zeros(experts, 1); mask[chosen] = 1
        b = f"model.layers.{CONFIG['peer_layers'][0]}.peer."
        rows = [model.get(b + n) for n in ("down.weight", "up.weight")]
        keys = model.get(b + "sub_keys")
        for p in rows + [keys]: p.requires_grad_(True)
        fit(model, [{"params": rows, "lr": 2e-3, "weight_decay": 0.0},
                    {"params": [keys], "lr": 1e-4, "weight_decay": 0.0}],
            text, args.seconds / 2, rng, [(p, mask) for p in rows])
        name = os.path.splitext(os.path.basename(path))[0]
        save(model, f"{args.out}/branch-{name}")


if __name__ == "__main__": main()
