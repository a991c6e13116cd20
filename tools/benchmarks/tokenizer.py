"""Text to tokens and back, in every style of tokenizer.json that is supported, beside Hugging Face's library.

Small tokenizers are trained by that library over part of the texts; then both encode all texts and decode
the tokens, and random ones. Every id and byte must be equal, else the exit code is 1.

    tools/bench tokenizer [--quick] [--peers] [--only STYLE,...] [--json FILE] [--data DIR]
"""
import argparse, glob, importlib.util, os, random, shlex, statistics, struct, sys, tempfile, time

import bench_machine
import bench_peers
from bench_peers import Failure, Program
from storage_records import row

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
STREAM = os.path.join(os.path.dirname(os.path.abspath(ROOT)), "shared", "data", "stream")


class Benchmark:
    def __init__(self, args):
        self.args, self.program = args, os.environ["CAMBIUM_TOKENIZER_BENCHMARK"]
        self.rows, self.failures = [], []

    def files(self, folder):
        """The whole texts, and the odd ones in one file each."""
        import train_tokenizers
        found = []
        for path in sorted(glob.glob(os.path.join(self.args.data, "*", "*.txt"))):
            if self.args.quick and not path.endswith("valid.txt"): continue
            with open(path, "rb") as file: text = file.read(60_000 if self.args.quick else -1)
            place = os.path.join(folder, path.replace(os.sep, "-")[-60:])
            with open(place, "wb") as file: file.write(text.decode("utf-8", "ignore").encode())
            found.append(place)
        for number, text in enumerate(train_tokenizers.ODD):
            place = os.path.join(folder, f"odd-{number}")
            with open(place, "w", encoding="utf-8", newline="") as file: file.write(text)
            found.append(place)
        return found

    def style(self, name, folder, files):
        from tokenizers import Tokenizer
        path = os.path.join(folder, name + ".json")
        begin = time.perf_counter()
        peer = Tokenizer.from_file(path)
        loads = {"cambium": [], "peer": [time.perf_counter() - begin]}
        rates = {(kind, by): [] for kind in ("encode", "decode") for by in ("cambium", "peer")}
        tokens = texts = 0
        noise = random.Random(7)
        with Program("cambium", [self.program, path]) as ours:
            loads["cambium"].append(ours.ready["load"])
            ids_path, text_path = os.path.join(folder, "ids"), os.path.join(folder, "text")
            for file in files:
                with open(file, encoding="utf-8", newline="") as opened: text = opened.read()
                begin = time.perf_counter()
                wanted = peer.encode(text).ids
                spent = time.perf_counter() - begin
                took = ours.ask("encode", file, ids_path)["seconds"]
                with open(ids_path, "rb") as opened: data = opened.read()
                ids = list(struct.unpack(f"<{len(data) // 4}I", data))
                if ids != wanted:
                    at = next((i for i, pair in enumerate(zip(ids, wanted)) if pair[0] != pair[1]), min(len(ids), len(wanted)))
                    near = peer.decode(wanted[max(0, at - 5):at + 5])
                    raise Failure(f"{name}, {os.path.basename(file)}: token {at} of {len(wanted)} is {ids[at:at + 4]}, "
                                  f"not {wanted[at:at + 4]}, near {near!r}")
                tokens, texts = tokens + len(ids), texts + 1
                if len(data) > 40_000:
                    rates["encode", "peer"].append(len(text.encode()) / spent / 1e6)
                    rates["encode", "cambium"].append(len(text.encode()) / took / 1e6)
                # The tokens, and as many at random, of which most are no UTF-8 together.
                for case in (wanted, [noise.randrange(peer.get_vocab_size() + 9) for _ in wanted]):
                    with open(ids_path, "wb") as opened: opened.write(struct.pack(f"<{len(case)}I", *case))
                    begin = time.perf_counter()
                    text_wanted = peer.decode(case)
                    spent = time.perf_counter() - begin
                    took = ours.ask("decode", ids_path, text_path)["seconds"]
                    with open(text_path, "rb") as opened: decoded = opened.read()
                    if decoded != text_wanted.encode():
                        raise Failure(f"{name}, {os.path.basename(file)}: {len(case)} tokens decode to another text")
                    if case is wanted and len(data) > 40_000:
                        rates["decode", "peer"].append(len(decoded) / spent / 1e6)
                        rates["decode", "cambium"].append(len(decoded) / took / 1e6)
        for kind in ("encode", "decode"):
            against = statistics.median(rates[kind, "peer"])
            self.rows.append(row("cambium", name, kind, rates[kind, "cambium"], "MB/s", ("tokenizers", against)))
        print(f"{name}: {tokens:,} tokens of {texts} texts equal, as many random ones decode equal", file=sys.stderr)

    def run(self, wanted):
        import train_tokenizers
        with tempfile.TemporaryDirectory() as folder:
            files = self.files(folder)
            lines = []
            for path in files:
                with open(path, encoding="utf-8", newline="") as file: lines += file.read(200_000).splitlines(True)
            train_tokenizers.train(folder, 2_000 if self.args.quick else 30_000, lines, wanted or train_tokenizers.STYLES)
            for name in wanted or train_tokenizers.STYLES:
                try: self.style(name, folder, files)
                except Failure as failure: self.failures.append(str(failure))


def main():
    parser = argparse.ArgumentParser(prog="tools/bench tokenizer")
    parser.add_argument("--quick", action="store_true", help="small tokenizers, the start of the valid texts")
    parser.add_argument("--peers", action="store_true", help="first install Hugging Face's tokenizers for Python")
    parser.add_argument("--only", default="", help="styles to run")
    parser.add_argument("--json", default=os.path.join(ROOT, ".build/bench/tokenizer.json"))
    parser.add_argument("--data", default=STREAM, help="folder with one folder of texts for each domain")
    args = parser.parse_args()
    bench_peers.use_python(args.peers, "requirements-tokenizers.txt", "bench-python-tokenizers")
    if importlib.util.find_spec("tokenizers") is None:
        sys.exit("bench: the answers are those of Python's tokenizers, which --peers installs")
    if not os.path.isdir(args.data): sys.exit(f"bench: {args.data} is absent; --data names the folder of the texts")
    sys.path.insert(0, os.path.join(HERE, "peers"))
    start = time.perf_counter()
    benchmark, machine = Benchmark(args), bench_machine.describe(ROOT)
    benchmark.run([name for name in args.only.split(",") if name])
    machine["load_after"] = os.getloadavg()
    report = {"schema": 1, "benchmark": "tokenizer", "mode": "quick" if args.quick else "full",
              "command": shlex.join(["tools/bench", "tokenizer", *sys.argv[1:]]), "machine": machine,
              "seconds": time.perf_counter() - start, "failures": benchmark.failures, "remarks": [],
              "rows": benchmark.rows}
    bench_machine.finish(report, args.json)


if __name__ == "__main__":
    main()
