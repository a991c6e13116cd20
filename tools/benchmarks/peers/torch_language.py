"""The PyTorch reference of a trained checkpoint: its key/value-cache loop and its fused forward pass.

    torch_language.py --reference FOLDER --checkpoint FOLDER --text FILE --prompt FILE
    stdin:  generate COUNT BATCH THREADS | text COUNT PATH | eval BYTES THREADS

FOLDER of the reference holds the model.py that the checkpoint was trained with.
"""
import argparse, json, math, sys, time

import torch


class Model:
    def __init__(self, args):
        # The reference may lie where nothing is to be written.
        sys.dont_write_bytecode = True
        sys.path.insert(0, args.reference)
        from model import load
        self.model = load(args.checkpoint)
        with open(args.text, "rb") as file: self.text = file.read()
        with open(args.prompt, "rb") as file: self.prompt = list(file.read())
        self.layers, self.window = self.model.c["num_layers"], self.model.c["context_length"]

    def decode(self, count, batch):
        """Greedy, token by token over a cache; the context must hold it all."""
        caches = [{} for _ in range(self.layers)]
        logits = self.model(torch.tensor([self.prompt] * batch), caches=caches)
        made = []
        for step in range(count):
            chosen = logits[:, -1:].argmax(-1)
            made.append(chosen)
            if step + 1 < count:
                logits = self.model(chosen, caches=caches, pos=len(self.prompt) + step)
        return torch.cat(made, 1)

    def generate(self, count, batch, threads):
        torch.set_num_threads(threads)
        begin = time.perf_counter()
        self.decode(count, batch)
        return {"tokens_per_s": count * batch / (time.perf_counter() - begin)}

    def write_text(self, count, path):
        with open(path, "wb") as file: file.write(bytes(self.decode(int(count), 1)[0].tolist()))
        return {}

    def eval(self, limit, threads, batch):
        """Bits per byte over full windows by the fused path; `batch` windows at a time."""
        torch.set_num_threads(threads)
        windows = min(limit, len(self.text)) // self.window
        data = torch.tensor(list(self.text[:windows * self.window])).view(windows, self.window)
        nats, begin = 0.0, time.perf_counter()
        for start in range(0, windows, batch):
            rows = data[start:start + batch]
            logits = self.model(rows[:, :-1], fast=True)
            nats += torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="none").double().sum().item()
        seconds = time.perf_counter() - begin
        return {"ms_per_token": seconds / (windows * self.window) * 1e3,
                "bits": nats / (windows * (self.window - 1)) / math.log(2)}


def main():
    parser = argparse.ArgumentParser()
    for name in ("--reference", "--checkpoint", "--text", "--prompt"): parser.add_argument(name, required=True)
    with torch.inference_mode():
        model = Model(parser.parse_args())
        print(json.dumps({"torch": torch.__version__}), flush=True)
        for line in sys.stdin:
            name, *words = line.split()
            if name == "text": result = model.write_text(*words)
            else: result = getattr(model, name)(*map(int, words))
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
