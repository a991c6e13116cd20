"""Text to tokens and back, in every style of tokenizer.json that is supported, beside Hugging Face's library.

Small tokenizers are trained by that library over part of the texts; then both encode all texts and decode
the tokens, and random ones. Every id and byte must be equal.
"""
import glob, os, random, struct, sys, time

from harness.bench import STREAM, Peers, Target
from harness.programs import PEERS, Failure

STYLES = ("gpt2", "olmoe", "llama3", "qwen", "o200k", "cl100k", "deepseek", "llama2", "mixtral", "metaspace", "unfused",
          "kimi", "xlm-roberta", "unigram-bytes", "bert", "bert-cased")


def texts(bench, folder, odd):
    """The whole texts, and the odd ones in one file each."""
    found = []
    for path in sorted(glob.glob(os.path.join(bench.args.data, "*", "*.txt"))):
        if bench.quick and not path.endswith("valid.txt"): continue
        with open(path, "rb") as file: text = file.read(60_000 if bench.quick else -1)
        found.append(os.path.join(folder, path.replace(os.sep, "-")[-60:]))
        with open(found[-1], "wb") as file: file.write(text.decode("utf-8", "ignore").encode())
    for number, text in enumerate(odd):
        found.append(os.path.join(folder, f"odd-{number}"))
        with open(found[-1], "w", encoding="utf-8", newline="") as file: file.write(text)
    return found


class Style:
    """One tokenizer, by both."""

    def __init__(self, bench, name, folder):
        from tokenizers import Tokenizer
        path = os.path.join(folder, name + ".json")
        self.bench, self.name, self.folder, self.peer = bench, name, folder, Tokenizer.from_file(path)
        self.programs = {side.name: side.start("tokenizer-benchmark", path) for side in bench.sides}
        self.rates, self.tokens, self.noise = {}, 0, random.Random(7)

    def timed(self, kind, action, size, *words):
        """What the library gives, and what every side left in a file; notes the rates where `size` gives bytes."""
        begin = time.perf_counter()
        wanted = action()
        spent = {"tokenizers": time.perf_counter() - begin}
        for by, one in self.programs.items():
            spent[by] = one.ask(kind, *words)["seconds"]
            with open(words[1], "rb") as file: yield wanted, file.read()
        for by, seconds in spent.items():
            if size(wanted): self.rates.setdefault((kind, by), []).append(size(wanted) / seconds / 1e6)

    def compare(self, path):
        with open(path, encoding="utf-8", newline="") as file: text = file.read()
        ids_path, text_path, place = f"{self.folder}/ids", f"{self.folder}/text", f"{self.name}, {os.path.basename(path)}"
        length = len(text.encode())

        # Rates of what takes long enough to be timed.
        def size(ids): return length if len(ids) > 10_000 else 0

        for wanted, data in self.timed("encode", lambda: self.peer.encode(text).ids, size, path, ids_path):
            ids = list(struct.unpack(f"<{len(data) // 4}I", data))
            if ids != wanted:
                at = next((i for i, pair in enumerate(zip(ids, wanted)) if pair[0] != pair[1]), min(len(ids), len(wanted)))
                near = self.peer.decode(wanted[max(0, at - 5):at + 5])
                raise Failure(f"{place}: token {at} of {len(wanted)} is {ids[at:at + 4]}, not {wanted[at:at + 4]}, near {near!r}")
        self.tokens += len(wanted)
        # The tokens, and as many at random, of which most are no UTF-8 together.
        for tokens in (wanted, [self.noise.randrange(self.peer.get_vocab_size() + 9) for _ in wanted]):
            with open(ids_path, "wb") as file: file.write(struct.pack(f"<{len(tokens)}I", *tokens))
            rated = tokens is wanted and size(wanted)
            for text, data in self.timed("decode", lambda: self.peer.decode(tokens), lambda text: rated and len(text.encode()),
                                         ids_path, text_path):
                if data != text.encode(): raise Failure(f"{place}: {len(tokens)} tokens decode to another text")

    def measure(self, files):
        try:
            for path in files: self.compare(path)
        finally:
            for one in self.programs.values(): one.close()
        for kind in ("encode", "decode"):
            for by in self.programs:
                self.bench.note(self.name, kind, self.rates.get((kind, by)), "MB/s", by=by,
                                against=self.bench.median("tokenizers", self.rates.get((kind, "tokenizers"))))
        self.bench.say(f"{self.name}: {self.tokens:,} tokens of {len(files)} texts equal, as many random ones decode equal")


def run(bench):
    sys.path.insert(0, PEERS)
    import train_tokenizers
    folder, lines = bench.args.dir, []
    files = texts(bench, folder, train_tokenizers.ODD)
    for path in files:
        with open(path, encoding="utf-8", newline="") as file: lines += file.read(200_000).splitlines(True)
    train_tokenizers.train(folder, 2_000 if bench.quick else 30_000, lines, bench.cases)
    for name in bench.cases: bench.attempt(name, lambda: Style(bench, name, folder).measure(files))


TARGET = Target(
    "tokenizer", "Text to tokens and back, in every style of tokenizer.json that is supported, beside Hugging Face's library.",
    run, ("tokenizer-benchmark",), cases=STYLES, compares=True, options={"data": STREAM},
    peers=Peers("tokenizers", "tokenizers", "requirements-tokenizers.txt", "bench-python-tokenizers", needed=True),
    quick="small tokenizers, the start of the valid texts")
