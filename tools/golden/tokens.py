"""Writes the tokenizers of Tests/TokenizersTests and what Hugging Face's library makes of texts with them.

    tools/golden/tokens.py FOLDER      needs tools/benchmarks/peers/requirements-tokenizers.txt
"""
import glob, json, os, random, sys

TOOLS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOOLS, "benchmarks", "peers"))
import train_tokenizers
from tokenizers import Tokenizer

SIZES = {"olmoe": 380, "llama3": 420, "o200k": 380, "deepseek": 380, "llama2": 200, "mixtral": 200, "metaspace": 240,
         "unfused": 240, "kimi": 420, "xlm-roberta": 320, "unigram-bytes": 260, "bert": 300, "bert-cased": 300}


def main():
    folder, lines = sys.argv[1], []
    for path in sorted(glob.glob(os.path.join(TOOLS, "sample", "text", "*", "train.txt"))):
        with open(path, encoding="utf-8") as file: lines += file.read(30_000).splitlines(True)
    noise = random.Random(3)
    texts = train_tokenizers.ODD + ["".join(lines[at:at + 3]) for at in range(0, len(lines), len(lines) // 8)]
    texts = [text[:300] for text in texts]
    styles = {}
    for style, size in SIZES.items():
        train_tokenizers.train(folder, size, lines, [style])
        tokenizer = Tokenizer.from_file(os.path.join(folder, style + ".json"))
        ids = [tokenizer.encode(text).ids for text in texts]
        random_ids = [[noise.randrange(tokenizer.get_vocab_size()) for _ in range(40)] for _ in range(4)]
        styles[style] = {"ids": ids, "decoded": [tokenizer.decode(one) for one in ids], "random": random_ids,
                         "randomDecoded": [tokenizer.decode(one, skip_special_tokens=False) for one in random_ids]}
    with open(os.path.join(folder, "cases.json"), "w", encoding="utf-8") as file:
        json.dump({"texts": texts, "styles": styles}, file, separators=(",", ":"))


if __name__ == "__main__":
    main()
