"""One PEER layer in PyTorch, in its usual and in its fastest forms, on the weights of peers/data.py.

    torch_layer.py --first N --second M --sets 1|8 [--threads T]
    stdin:  answer COUNT PATH | time PART FORM BATCH COUNT START      one line of JSON each

Routing forms: einsum (all heads at once) and bmm (one product per set of sub-keys, and of the pairs
only those that can be among the best). Expert forms: einsum gathers the rows first, as embedding
tables are commonly used; bag multiplies by bmm and adds by embedding_bag; sddmm leaves the gather
out with sampled_addmm. All compute the same.
"""
import argparse, json, sys, time

import numpy as np
import torch
import torch.nn.functional as F

import data

WIDTH, HEADS, TOP, HALF, TOKENS = 256, 8, 16, 128, 8192
LAYERS = {"einsum": ("einsum", "einsum"), "bag": ("bmm", "bag"), "sddmm": ("bmm", "sddmm")}


class Layer:
    def __init__(self, first, second, sets):
        self.m = second
        noise = lambda tag, scale, *shape: torch.from_numpy(
            data.noise(tag, int(np.prod(shape)), scale)).view(*shape)
        self.query = noise(1 << 40, 0.108, HEADS * 2 * HALF, WIDTH)
        sides = [torch.stack([noise((tag << 40) + s, 0.153, count, HALF) for s in range(sets)])
                 for tag, count in ((2, first), (3, second))]
        self.keys = [side.expand(HEADS, -1, -1) for side in sides]
        self.transposed = [side.transpose(1, 2).contiguous().expand(HEADS, -1, -1) for side in sides]
        self.shared = [side[0].t().contiguous() for side in sides] if sets == 1 else None
        self.x = noise(4 << 40, 1.732, TOKENS, WIDTH)
        count = first * second
        self.down, self.up = torch.empty(count, WIDTH), torch.empty(count, WIDTH)
        for start, end in data.blocks(count):
            rows = torch.from_numpy(
                data.floats(data.mix(np.arange(start, end, dtype=np.uint64)), 2 * WIDTH, 0.108))
            self.down[start:end], self.up[start:end] = rows[:, :WIDTH], rows[:, WIDTH:]
        pairs = [(i, j) for i in range(TOP) for j in range(TOP) if (i + 1) * (j + 1) <= TOP]
        self.high, self.low = (torch.tensor(side) for side in zip(*pairs))

    def queries(self, x):
        q = (x @ self.query.t()).view(-1, HEADS, 2, HALF)
        return q * torch.rsqrt(q.pow(2).mean(-1, keepdim=True) + 1e-6)

    def route(self, x, form):
        q = self.queries(x)
        return self.einsum_route(q) if form == "einsum" else self.bmm_route(q)

    def einsum_route(self, q):
        a, b = (torch.einsum("thd,hnd->thn", q[:, :, s], self.keys[s]).topk(TOP) for s in (0, 1))
        sums = (a.values.unsqueeze(-1) + b.values.unsqueeze(-2)).flatten(-2)
        best, place = sums.topk(TOP)
        ids = a.indices.gather(-1, place // TOP) * self.m + b.indices.gather(-1, place % TOP)
        return ids.flatten(1), best.softmax(-1).flatten(1)

    def bmm_route(self, q):
        tops = []
        for s in (0, 1):
            if self.shared: scores = q[:, :, s] @ self.shared[s]
            else: scores = torch.bmm(q[:, :, s].transpose(0, 1), self.transposed[s]).transpose(0, 1)
            tops.append(scores.topk(TOP))
        a, b = tops
        best, place = (a.values[..., self.high] + b.values[..., self.low]).topk(TOP)
        ids = a.indices.gather(-1, self.high[place]) * self.m + b.indices.gather(-1, self.low[place])
        return ids.flatten(1), best.softmax(-1).flatten(1)

    def experts(self, x, ids, gates, form):
        if form == "einsum":
            h = F.gelu(torch.einsum("td,tkd->tk", x, F.embedding(ids, self.down)))
            return torch.einsum("tk,tkd->td", h * gates, F.embedding(ids, self.up))
        if form == "bag":
            h = torch.bmm(self.down.index_select(0, ids.flatten()).view(*ids.shape, WIDTH),
                          x.unsqueeze(-1)).squeeze(-1)
        else:
            tokens, picks = ids.shape
            rows = torch.arange(0, tokens * picks + 1, picks)
            mask = torch.sparse_csr_tensor(rows, ids.flatten(), torch.zeros(ids.numel()),
                                           (tokens, len(self.down)), check_invariants=False)
            h = torch.sparse.sampled_addmm(mask, x, self.down.t(), beta=0.0).values().view(*ids.shape)
        return F.embedding_bag(ids, self.up, per_sample_weights=F.gelu(h) * gates, mode="sum")

    def layer(self, x, form):
        route, experts = LAYERS[form]
        return self.experts(x, *self.route(x, route), experts)

    def time(self, part, form, batch, count, start):
        inputs = []
        for index in range(0, count, batch):
            at = (start + index) % (TOKENS - batch + 1)
            inputs.append(self.x[at:at + batch])
        routes = [self.route(x, "bmm") for x in inputs] if part == "experts" else inputs
        begin = time.perf_counter()
        for x, known in zip(inputs, routes):
            if part == "route": self.route(x, form)
            elif part == "experts": self.experts(x, *known, form)
            else: self.layer(x, form)
        return {"us": (time.perf_counter() - begin) / (len(inputs) * batch) * 1e6}

    def answer(self, count, path):
        """Writes picks and outputs; all forms must agree first."""
        x = self.x[:count]
        ids, gates = self.route(x, "einsum")
        other = self.route(x, "bmm")[0]
        if not torch.equal(ids.sort(1).values, other.sort(1).values):
            sys.exit("the routing forms pick different experts")
        out = self.layer(x, "einsum")
        spread = max(float((self.layer(x, form) - out).abs().max()) for form in LAYERS)
        if not spread < 1e-4 * float(out.abs().max()): sys.exit(f"the forms differ by {spread}")
        ids.to(torch.int32).numpy().tofile(path + ".ids")
        out.numpy().tofile(path + ".out")
        return {"spread": spread / float(out.abs().max())}


def main():
    parser = argparse.ArgumentParser()
    for name in ("--first", "--second", "--sets"): parser.add_argument(name, type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        layer = Layer(args.first, args.second, args.sets)
        print(json.dumps({"torch": torch.__version__}), flush=True)
        for line in sys.stdin:
            name, *words = line.split()
            if name == "answer": result = layer.answer(int(words[0]), words[1])
            else: result = layer.time(words[0], words[1], *map(int, words[2:]))
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
