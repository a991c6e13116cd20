"""Training steps in PyTorch of a trained checkpoint's model.

    torch_training.py step --reference FOLDER --checkpoint FOLDER --text FILE [--windows N] [--threads T]
    stdin:  time STEPS | gradients PATH        one line of JSON each

The step is the reference's own: autograd with hand-written expert gradients, fused AdamW.
"""
import argparse, json, sys, time

import numpy as np
import torch
import torch.nn.functional as F


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=("step",))
    for name in ("--reference", "--checkpoint", "--text"): parser.add_argument(name)
    for name, value in (("--windows", 16), ("--threads", 2)):
        parser.add_argument(name, type=int, default=value)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    case = Step(args)
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        name, *words = line.split()
        print(json.dumps(getattr(case, name)(*words)), flush=True)


if __name__ == "__main__":
    main()
