"""A trained model in a store, and the same in PyTorch: generation, evaluation, what int8 routers change."""
import os

from harness.bench import SAMPLE, turns
from harness.programs import Failure, peer
from harness.report import at_least, at_most


def run(bench, chosen):
    language = Language(bench)
    try:
        for name, case in chosen.items(): bench.attempt(name, getattr(language, name), case)
    finally: language.close()


def write_text(source, path, count=1_000_000):
    """Text of the trained domains: the first `count` bytes."""
    names = [os.path.join(source, name, "train.txt") for name in ("gsm8k", "wikitext")]
    if not all(map(os.path.exists, names)):
        sample = os.path.join(SAMPLE, "text")
        names = [os.path.join(sample, name, "train.txt") for name in sorted(os.listdir(sample))]
    text = b""
    for name in names:
        with open(name, "rb") as file: text += file.read()
    with open(path, "wb") as file: file.write(text[:count])


class Language:
    def __init__(self, bench):
        self.bench, self.programs, place = bench, {}, bench.args.dir
        write_text(bench.args.data, f"{place}/text")
        with open(f"{place}/text", "rb") as file, open(f"{place}/prompt", "wb") as out: out.write(file.read(64))
        base, reference = f"{bench.args.checkpoints}/base", f"{bench.args.checkpoints}/pytorch"
        files = ["--text", f"{place}/text", "--prompt", f"{place}/prompt"]
        for side in bench.sides:
            store = f"{place}/language-{side.name}"
            side.cambium("init", store)
            side.cambium("commit", base, "-m", "base", "--store", store)
            self.programs[side.name] = side.start("inference-benchmark", "language", "--store", store, *files)
        if bench.has_peers and os.path.isdir(reference):
            self.programs["torch"] = peer("PyTorch", "torch_language.py", "--reference", reference, "--checkpoint", base, *files)
        self.sides = [side.name for side in bench.sides]

    def close(self):
        for one in self.programs.values(): one.close()

    def generate(self, case):
        count, bench, cores = case["count"], self.bench, os.cpu_count() or 1
        if "torch" in self.programs:
            texts = []
            for by in ("cambium", "torch"):
                self.programs[by].ask("text", count, f"{bench.args.dir}/{by}.text")
                with open(f"{bench.args.dir}/{by}.text", "rb") as file: texts.append(file.read())
            equal = next((i for i, (a, b) in enumerate(zip(*texts)) if a != b), count)
            bench.note("generate", f"first bytes that are equal, of {count}", equal, "count", by="torch")
            if equal < min(count, 16): raise Failure(f"the texts differ after {equal} bytes")
        for batch in case["batches"]:
            found = turns(case["rounds"], {
                (by, threads): lambda _, one=one, threads=threads: one.ask("generate", count, batch, threads)["tokens_per_s"]
                for by, one in self.programs.items() for threads in (1, cores)})
            best = {by: max((bench.median(f"threads = {threads}", found[by, threads])[::-1] for threads in (1, cores)))
                    for by in self.programs}
            against = ("PyTorch, " + best["torch"][1], best["torch"][0]) if "torch" in best else None
            for by in self.sides:
                # The number of threads that is best for this checkout, so that both sides are measured with the same.
                threads = 1 if best["cambium"][1] == "threads = 1" else cores
                bench.note("generate", f"B = {batch}, threads = {threads}", found[by, threads], "tokens/s", by=by,
                           against=against, goal=at_least(8) if batch == 1 and by == "cambium" else None)

    def eval(self, case):
        cores, bits, actions, bench = os.cpu_count() or 1, {}, {}, self.bench

        def add(by, what, *words):
            one = self.programs[by]
            one.ask("eval", min(case["bytes"], 20_000), cores, *words)

            def run(_):
                answer = one.ask("eval", case["bytes"], cores, *words)
                bits[by] = answer["bits"]
                return answer["ms_per_token"] * 1e3
            actions[by, what] = run

        for by in self.sides: add(by, "eval")
        if "torch" in self.programs:
            for batch in case["peer_batches"]: add("torch", f"PyTorch fused, {batch} windows", batch)
        # One more checkout is compared by more rounds.
        found = turns(case["rounds"] + 3 * (len(self.sides) - 1), actions, warm=False)
        if "torch" in bits and abs(bits["cambium"] - bits["torch"]) > 1e-3:
            raise Failure(f"bits per byte: {bits['cambium']} and PyTorch's {bits['torch']}")
        peers = [bench.median(what, values) for (by, what), values in found.items() if by == "torch"]
        for by in self.sides:
            bench.note("eval", "per token", found[by, "eval"], "us", by=by, goal=at_most(1 / 2) if by == "cambium" else None,
                       against=min(peers, key=lambda one: one[1], default=None))
        for by, value in bits.items(): bench.note("eval", "bits per byte", value, "share", by=by)

    def recall(self, case):
        for by in self.sides:
            answer = self.programs[by].ask("recall", case["bytes"])
            for metric, what in (("recall", "picks that int8 finds too"), ("same_sets", "heads with the same picks"),
                                 ("bits", "bits per byte, fp32"), ("bits_int8", "bits per byte, int8"),
                                 ("bits_difference", "bits per byte, difference")):
                goal = at_most(0.002, "≤ 0.002", "value") if metric == "bits_difference" and by == "cambium" else None
                self.bench.note("int8 router", what, answer[metric], "share", by=by, goal=goal)
