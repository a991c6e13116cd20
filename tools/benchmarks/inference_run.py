"""Measures the cases: programs take their rounds in turns, after their answers were compared."""
import os, subprocess, sys

import bench_peers
from bench_peers import Failure
from inference_cases import BATCHES, COUNTS

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ("linear", "productKey", "productKeyInt8", "tree")
FORMS = {"route": ("einsum", "bmm"), "experts": ("einsum", "bag", "sddmm"),
         "layer": ("einsum", "bag", "sddmm")}
TOLERANCE = 1e-4


def peer(script, *words):
    return bench_peers.Program(
        "PyTorch", [sys.executable, "-W", "ignore", os.path.join(HERE, "peers", script), *map(str, words)])


def record(by, case, metric, values, unit, **place):
    return {"by": by, "case": case, "metric": metric, "values": values, "unit": unit, **place}


class Rounds:
    """Values by (program, metric), taken in turns; round 0 warms up and is left out."""

    def __init__(self): self.found = {}

    def take(self, rounds, actions, warm=True):
        """`actions`: {(by, metric, unit): function of the round that gives a number}."""
        for number in range(0 if warm else 1, rounds + 1):
            for key, action in actions.items():
                value = action(number)
                if number: self.found.setdefault(key, []).append(value)

    def records(self, case, **place):
        return [record(by, case, metric, values, unit, **place)
                for (by, metric, unit), values in self.found.items()]


def compare(folder):
    """Greatest difference of the outputs relative to the greatest, and the tokens whose experts differ."""
    import numpy as np
    ids = [np.fromfile(f"{folder}/{name}.ids", dtype=np.uint32).reshape(-1, 8, 16) for name in ("ours", "torch")]
    outs = [np.fromfile(f"{folder}/{name}.out", dtype=np.float32) for name in ("ours", "torch")]
    if ids[0].shape != ids[1].shape or outs[0].shape != outs[1].shape:
        raise Failure("Cambium and PyTorch answered for different tokens")
    differing = int((np.sort(ids[0]) != np.sort(ids[1])).any(axis=-1).sum())
    width = len(outs[0]) // len(ids[0])
    same = ~(np.sort(ids[0]) != np.sort(ids[1])).any(axis=(1, 2))
    one, two = (out.reshape(-1, width)[same] for out in outs)
    return float(np.abs(one - two).max() / np.abs(two).max()), differing


def layer(program, folder, case, torch, batches=BATCHES):
    sizes = ("--first", case.first, "--second", case.second, "--sets", case.sets)
    place = {"experts": case.experts, "sets": case.sets}
    records, other = [], None
    with bench_peers.Program("layer", [program, "layer", "--dir", folder, *map(str, sizes)]) as ours:
        ready = ours.ready
        for name, unit in (("difference", "ratio"), ("int8_recall", "ratio"), ("make_seconds", "s"),
                           ("warm_seconds", "s")):
            if name in ready: records.append(record("cambium", "layer", name, [ready[name]], unit, **place))
        try:
            if torch:
                other = peer("torch_layer.py", *sizes)
                tokens = 512
                ours.ask("answer", "fp32", tokens, f"{folder}/ours")
                other.ask("answer", tokens, f"{folder}/torch")
                difference, differing = compare(folder)
                records.append(record("torch", "layer", "difference", [difference], "ratio", **place))
                records.append(record("torch", "layer", "heads_that_differ", [differing], "count", **place))
                # Ties of sums that are rounded in another order: a head in a thousand at most.
                if difference > TOLERANCE or differing > tokens * 8 // 1000 + 1:
                    raise Failure(f"{case.label()}: PyTorch's outputs differ by {difference}, "
                                  f"its picks in {differing} of {tokens * 8} heads")
            for batch in batches:
                found = Rounds()
                found.take(case.rounds, layer_actions(ours, other, batch))
                records += found.records("layer", batch=batch, **place)
            stream = [ours.ask("floor", "stream")["gb_per_s"] for _ in range(4)][1:]
            records.append(record("floor", "layer", "stream", stream, "GB/s", **place))
        finally:
            if other: other.close()
    return records


def layer_actions(ours, other, batch):
    count = COUNTS[batch]

    def timed(program, part, form):
        # Every round goes on with tokens that the ones before did not use.
        return lambda number: program.ask("time", part, form, batch, count, number * count % 7168)["us"]

    actions = {("cambium", f"{part} {router}", "us"): timed(ours, part, router)
               for part, router in (("route", "fp32"), ("route", "int8"), ("experts", "fp32"),
                                    ("layer", "fp32"), ("layer", "int8"))}
    actions["floor", "rows", "us"] = lambda _: ours.ask("floor", "rows", max(count, 256))["us"]
    if other:
        for part, forms in FORMS.items():
            for form in forms: actions["torch", f"{part} {form}", "us"] = timed(other, part, form)
    return actions


def product(program, case):
    words = [program, "product", "--tokens", case.tokens, "--rows", case.rows, "--columns", case.columns]
    with bench_peers.Program("product", list(map(str, words))) as ours:
        answers = [ours.ask("time", case.count()) for _ in range(case.rounds + 1)][1:]
    return [record("cambium" if name != "openblas" else "floor", "products", name,
                   [answer[name] for answer in answers], "GFLOP/s", label=case.label())
            for name in ("own", "int8", "openblas")]


def cold(program, folder, case):
    store = os.path.join(folder, "cold-store")
    with bench_peers.Program("cold-store", [program, "cold-store", "--store", store, "--sub-keys",
                                            str(case["sub_keys"])]) as made:
        trunk = made.ready["trunk_bytes"]
    def runs(tokens, limit=None):
        words = [program, "cold", "--store", store, "--tokens", tokens, "--trunk-bytes", trunk]
        if limit: words += ["--limit", limit]
        answers = []
        for _ in range(case["rounds"]):
            with bench_peers.Program("cold", list(map(str, words))) as one: answers.append(one.ready)
        return [record("cambium", "limit" if limit else "cold", name, [a[name] for a in answers],
                       "s" if name.endswith("seconds") else "bytes" if name.endswith("bytes") else "count",
                       tokens=tokens, experts=case["sub_keys"] ** 2, limit=limit or 0) for name in answers[0]]

    records = [one for tokens in case["tokens"] for one in runs(tokens)]
    records += [one for limit in case["limits"] for one in runs(case["limit_tokens"], limit)]
    subprocess.run(["rm", "-r", store], check=True)
    return records


def kinds(program, case, say):
    records = []
    for bits in case["bits"]:
        for kind in KINDS:
            if kind == "linear" and bits > case["linear_bits"]: continue
            say(f"{kind}, N = 2^{bits}")
            words = [program, "kind", "--kind", kind, "--experts", str(1 << bits)]
            with bench_peers.Program(kind, words) as ours:
                for batch in case["batches"]:
                    # Fewer tokens where a token takes milliseconds.
                    count = max(batch, 64 if kind != "linear" or bits < 17 else 8)
                    found = Rounds()
                    found.take(case["rounds"], {("cambium", kind, "us"): lambda number: ours.ask(
                        "time", batch, count, number * count % 512)["us"]})
                    records += found.records("kinds", experts=1 << bits, batch=batch)
    return records


class Language:
    """A trained model in a store, and the same in PyTorch."""

    def __init__(self, program, command, folder, args, torch):
        self.folder = folder
        self.text, self.prompt = os.path.join(folder, "text"), os.path.join(folder, "prompt")
        write_text(args.data, self.text)
        with open(self.text, "rb") as file, open(self.prompt, "wb") as out: out.write(file.read(64))
        store, base = os.path.join(folder, "language"), os.path.join(args.checkpoints, "base")
        for words in (["init", store], ["commit", base, "-m", "base", "--store", store]):
            subprocess.run([command, *words], check=True, capture_output=True)
        files = ["--text", self.text, "--prompt", self.prompt]
        self.ours = bench_peers.Program("language", [program, "language", "--store", store, *files])
        self.other = None
        reference = os.path.join(args.checkpoints, "pytorch")
        if torch and os.path.isdir(reference):
            self.other = peer("torch_language.py", "--reference", reference, "--checkpoint", base, *files)

    def close(self):
        self.ours.close()
        if self.other: self.other.close()

    def generate(self, case):
        count, records, cores = case["count"], [], os.cpu_count() or 1
        if self.other:
            texts = []
            for one, name in ((self.ours, "ours"), (self.other, "torch")):
                one.ask("text", count, f"{self.folder}/{name}.text")
                with open(f"{self.folder}/{name}.text", "rb") as file: texts.append(file.read())
            equal = next((i for i, (a, b) in enumerate(zip(*texts)) if a != b), count)
            records.append(record("torch", "generate", "equal_bytes", [equal], "count"))
            if equal < min(count, 16): raise Failure(f"the texts differ after {equal} bytes")
        for batch in case["batches"]:
            actions = {}
            for by, one in (("cambium", self.ours), ("torch", self.other)):
                if not one: continue
                for threads in (1, cores):
                    actions[by, f"threads = {threads}", "tokens/s"] = \
                        lambda _, one=one, threads=threads: one.ask(
                            "generate", count, batch, threads)["tokens_per_s"]
            found = Rounds()
            found.take(case["rounds"], actions)
            records += found.records("generate", batch=batch)
        return records

    def eval(self, case):
        cores, bits, actions = os.cpu_count() or 1, {}, {}

        def action(by, one, *words):
            one.ask("eval", min(case["bytes"], 20_000), cores, *words)

            def run(_):
                answer = one.ask("eval", case["bytes"], cores, *words)
                bits[by] = answer["bits"]
                return answer["ms_per_token"] * 1e3
            return run

        actions["cambium", "eval", "us"] = action("cambium", self.ours)
        if self.other:
            for batch in case["peer_batches"]:
                actions["torch", f"fused, {batch} windows", "us"] = action("torch", self.other, batch)
        found = Rounds()
        found.take(case["rounds"], actions, warm=False)
        if self.other and abs(bits["cambium"] - bits["torch"]) > 1e-3:
            raise Failure(f"bits per byte: {bits['cambium']} and PyTorch's {bits['torch']}")
        return found.records("eval") + [record(by, "eval", "bits", [value], "ratio")
                                        for by, value in bits.items()]

    def recall(self, case):
        answer = self.ours.ask("recall", case["bytes"])
        return [record("cambium", "recall", name, [value], "ratio") for name, value in answer.items()]


def write_text(folder, path, count=1_000_000):
    """Text of the trained domains: the first `count` bytes."""
    names = [os.path.join(folder, name, "train.txt") for name in ("gsm8k", "wikitext")]
    if not all(os.path.exists(name) for name in names):
        sample = os.path.join(os.path.dirname(HERE), "sample", "text")
        names = [os.path.join(sample, name, "train.txt") for name in sorted(os.listdir(sample))]
    text = b""
    for name in names:
        with open(name, "rb") as file: text += file.read()
    with open(path, "wb") as file: file.write(text[:count])
