"""Training steps in PyTorch: of a trained checkpoint's model, and of one PEER layer of a million experts.

    torch_training.py step --reference FOLDER --checkpoint FOLDER --text FILE [--windows N] [--threads T]
    stdin:  time STEPS | gradients PATH        one line of JSON each
    torch_training.py peer --keys N --batch B [--threads T]
    stdin:  time FORM STEPS START | answer FORM PATH

The model's step is the reference's own (autograd with hand-written expert gradients, fused AdamW). The
layer's is hand-written: router by autograd and fused Adam, experts by sampled_addmm and
embedding_bag, and their gradient descent either by index_add_ of every pick's rows (scatter) or by a
sparse product for the distinct experts (csr).
"""
import argparse, json, math, sys, time

import numpy as np
import torch
import torch.nn.functional as F

import data

WIDTH, HEADS, TOP, HALF, TOKENS = 256, 8, 16, 128, 8192


class Step:
    def __init__(self, args):
        sys.dont_write_bytecode = True
        sys.path.insert(0, args.reference)
        from model import load
        self.model = load(args.checkpoint).train()
        self.windows, self.length = args.windows, self.model.c["context_length"]
        self.parameters = list(self.model.parameters())
        self.optimiser = torch.optim.AdamW(self.parameters, lr=3e-4, betas=(0.9, 0.98), fused=True)
        with open(args.text, "rb") as file: self.text = np.frombuffer(file.read(), np.uint8)
        self.at = 0

    def batch(self):
        rows = []
        for _ in range(self.windows):
            if self.at + self.length + 1 > len(self.text): self.at = 0
            rows.append(self.text[self.at:self.at + self.length + 1])
            self.at += self.length
        return torch.from_numpy(np.stack(rows).astype(np.int64))

    def backward(self):
        x = self.batch()
        loss = F.cross_entropy(self.model(x[:, :-1], fast=True).flatten(0, 1), x[:, 1:].flatten())
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        return float(loss)

    def time(self, steps):
        begin, processor = time.perf_counter(), time.process_time()
        for _ in range(int(steps)):
            loss = self.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimiser.step()
        spent = time.perf_counter() - begin
        return {"tokens_per_s": int(steps) * self.windows * self.length / spent, "loss": loss,
                "cpu_s_per_step": (time.process_time() - processor) / int(steps)}

    def gradients(self, path):
        self.at = 0
        loss = self.backward()
        named = sorted(self.model.named_parameters())
        with open(path, "wb") as file:
            for _, parameter in named: file.write(parameter.grad.numpy().tobytes())
        self.at = 0
        return {"loss": loss}


class Peer:
    def __init__(self, args):
        self.n, self.batch = args.keys, args.batch
        noise = lambda tag, scale, *shape: torch.from_numpy(
            data.noise(tag, int(np.prod(shape)), scale)).view(*shape)
        self.query = noise(1 << 40, 0.108, HEADS * 2 * HALF, WIDTH).requires_grad_()
        sides = [torch.stack([noise((tag << 40) + head, 0.153, self.n, HALF) for head in range(HEADS)])
                 for tag in (2, 3)]
        self.keys = torch.stack(sides, 1).requires_grad_()
        self.x = noise(4 << 40, 1.732, TOKENS, WIDTH)
        self.y = noise(5 << 40, 1, TOKENS, WIDTH)
        count = self.n * self.n
        self.down, self.up = torch.empty(count, WIDTH), torch.empty(count, WIDTH)
        for start, end in data.blocks(count):
            rows = torch.from_numpy(
                data.floats(data.mix(np.arange(start, end, dtype=np.uint64)), 2 * WIDTH, 0.108))
            self.down[start:end], self.up[start:end] = rows[:, :WIDTH], rows[:, WIDTH:]
        pairs = [(i, j) for i in range(TOP) for j in range(TOP) if (i + 1) * (j + 1) <= TOP]
        self.high, self.low = (torch.tensor(side) for side in zip(*pairs))
        self.optimiser = torch.optim.Adam([self.query, self.keys], lr=1e-3, betas=(0.9, 0.98), fused=True)

    def route(self, x):
        q = (x @ self.query.t()).view(-1, HEADS, 2, HALF)
        q = q * torch.rsqrt(q.pow(2).mean(-1, keepdim=True) + 1e-6)
        tops = [torch.bmm(q[:, :, side].transpose(0, 1), self.keys[:, side].transpose(1, 2))
                .transpose(0, 1).topk(TOP) for side in (0, 1)]
        a, b = tops
        best, place = (a.values[..., self.high] + b.values[..., self.low]).topk(TOP)
        ids = a.indices.gather(-1, self.high[place]) * self.n + b.indices.gather(-1, self.low[place])
        return ids.flatten(1), best.softmax(-1).flatten(1)

    def step(self, form, number):
        at = number * self.batch % (TOKENS - self.batch + 1)
        x, y = self.x[at:at + self.batch].clone().requires_grad_(), self.y[at:at + self.batch]
        ids, gates = self.route(x)
        with torch.no_grad():
            plain, g = x.detach(), gates.detach()
            picks = ids.shape[1]
            rows = torch.arange(0, ids.numel() + 1, picks)
            mask = torch.sparse_csr_tensor(rows, ids.flatten(), torch.zeros(ids.numel()),
                                           (self.batch, len(self.down)), check_invariants=False)
            h = torch.sparse.sampled_addmm(mask, plain, self.down.t(), beta=0.0).values().view(*ids.shape)
            a = F.gelu(h)
            out = F.embedding_bag(ids, self.up, per_sample_weights=g * a, mode="sum")
            gradient = (out - y) / self.batch
            along = torch.sparse.sampled_addmm(mask, gradient, self.up.t(), beta=0.0).values().view(*ids.shape)
            dh = torch.ops.aten.gelu_backward(g * along, h)
            dx = F.embedding_bag(ids, self.down, per_sample_weights=dh, mode="sum")
        self.optimiser.zero_grad(set_to_none=True)
        gates.backward(a * along)
        with torch.no_grad(): self.update(form, ids, plain, gradient, dh, g * a)
        self.answered = out, x.grad + dx
        self.optimiser.step()
        return float((out - y).pow(2).sum() / 2 / self.batch)

    def update(self, form, ids, x, gradient, inner, values):
        flat = ids.flatten()
        if form == "scatter":
            self.down.index_add_(0, flat, (inner.unsqueeze(-1) * x.unsqueeze(1)).view(-1, WIDTH), alpha=-1)
            self.up.index_add_(0, flat, (values.unsqueeze(-1) * gradient.unsqueeze(1)).view(-1, WIDTH), alpha=-1)
            return
        order = torch.argsort(flat, stable=True)
        distinct, counts = torch.unique_consecutive(flat[order], return_counts=True)
        starts = F.pad(counts.cumsum(0), (1, 0))
        columns = order // ids.shape[1]
        for table, weights, inputs in ((self.down, inner, x), (self.up, values, gradient)):
            some = torch.sparse_csr_tensor(starts, columns, weights.flatten()[order],
                                           (len(distinct), len(x)), check_invariants=False)
            table.index_add_(0, distinct, some @ inputs, alpha=-1)

    def time(self, form, steps, start):
        begin, processor = time.perf_counter(), time.process_time()
        for index in range(int(steps)): loss = self.step(form, int(start) + index)
        tokens = int(steps) * self.batch
        return {"us": (time.perf_counter() - begin) / tokens * 1e6, "loss": loss,
                "cpu_us": (time.process_time() - processor) / tokens * 1e6}

    def answer(self, form, path):
        loss = self.step(form, 0)
        rows = torch.stack([self.down, self.up], 1)[:(1 << 22) // (2 * WIDTH)]
        with open(path, "wb") as file:
            for values in (*self.answered, self.query.grad, self.keys.grad, rows):
                file.write(values.detach().contiguous().numpy().tobytes())
        return {"loss": loss}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=("step", "peer"))
    for name in ("--reference", "--checkpoint", "--text"): parser.add_argument(name)
    for name, value in (("--windows", 16), ("--keys", 1024), ("--batch", 512), ("--threads", 2)):
        parser.add_argument(name, type=int, default=value)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    case = (Step if args.case == "step" else Peer)(args)
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        name, *words = line.split()
        print(json.dumps(getattr(case, name)(*words)), flush=True)


if __name__ == "__main__":
    main()
