"""Trains a small tokenizer of each style in use with Hugging Face's library, over part of some texts.

    train_tokenizers.py FOLDER SIZE FILE...      writes FOLDER/STYLE.json with about SIZE tokens each
"""
import json, os, sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace("{1,3}", "")
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]*[{LOWER}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]+[{LOWER}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
KIMI = (r"[\p{Han}]+|" + O200K.replace(f"[{UPPER}]", rf"[{UPPER}&&[^\p{{Han}}]]")
        .replace(f"[{LOWER}]", rf"[{LOWER}&&[^\p{{Han}}]]").replace(r"[\r\n/]*", r"[\r\n]*"))
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|"
          r"\s*[\r\n]|\s+(?!\S)|\s").replace("(?i:[sdmt]|ll|ve|re)", "(?i:s|d|m|t|ll|ve|re)").replace("{1,3}+", "{1,3}")
DEEPSEEK = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"
            r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]

# What plain texts lack: marks that compose, special tokens and spaces around them, odd spaces and controls.
ODD = [
    "", " ", "  \n \n\n  x", "e\u0301 \u212b \u2126 A\u030angstro\u0308m", "a<|endoftext|>  b <|start|>\n",
    "x[word]y [word] z, <left>  <left>a<right>  b", "\u00a0\u3000a\u2028b\u0085c\u200dd",
    "I'M it's 'S '\u017f 12345 3.14\r\n\r\n\t\t", "<0x41><s></s>▁▁x ▁ y",
    "😀👩\u200d👩\u200d👧🇩🇪ü漢字かなカナ한국어", "\x00\x01\x7f\ufeff\ufffd", "  leading and trailing  ",
    "|||IP_ADDRESS|||        eight", "Ångström", "!!!word #tag ...\n\n//comment/\n", "ÀÉÎõü ǅ ʰ ⁵ Ⅷ ½ ٣ ೬", "x" * 300,
    "ab" * 40 + " " * 30, "Ｆｕｌｌ ｶﾞｷﾞ ﬁne ㎏ ①  x\u200b\u00adz", "isn't  it? It's, 'tis. do not [MASK] 李白·杜甫 Ünïçødé",
]


def split(pattern): return pre_tokenizers.Split(Regex(pattern), "isolated")


def levels(*patterns):
    return pre_tokenizers.Sequence([*map(split, patterns), pre_tokenizers.ByteLevel(False, use_regex=False)])


def byte_level(texts, size, pre_tokenizer, normalizer=None, ignore_merges=False, start=None):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    if normalizer: tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<|endoftext|>", "<|start|>", "<|end|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    if start:
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{start} $A", pair=f"{start} $A $B",
                                          special_tokens=[(start, tokenizer.token_to_id(start))])])
    else: tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def sentence_pieces(texts, size, fallback=True, fuse=True):
    """The words of SentencePiece's BPE: the merges of words that begin with their space."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=fuse, byte_fallback=fallback))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256) if fallback]
    trainer = trainers.BpeTrainer(vocab_size=size + 259, special_tokens=special, limit_alphabet=size // 3,
                                  show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    # The bytes are plain tokens of the model, as in converted files.
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = data["added_tokens"][:3]
    return Tokenizer.from_str(json.dumps(data))


def template(tokenizer):
    return processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B",
                                         special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])


def llama2(texts, size):
    tokenizer = sentence_pieces(texts, size)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    data = json.loads(tokenizer.to_str())
    data["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = template(tokenizer)
    return tokenizer


def mixtral(texts, size):
    tokenizer = sentence_pieces(texts, size)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = template(tokenizer)
    return tokenizer


def metaspace(texts, size, fuse):
    tokenizer = sentence_pieces(texts, size, fallback=False, fuse=fuse)
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_tokens([AddedToken("[word]", single_word=True), AddedToken("<left>", lstrip=True, normalized=False),
                          AddedToken("<right>", rstrip=True), AddedToken("Ångström", normalized=True)])
    return tokenizer


def olmoe(texts, size):
    tokenizer = byte_level(texts, size, pre_tokenizers.ByteLevel(False), normalizers.NFC())
    tokenizer.add_tokens(["|||IP_ADDRESS|||", "  ", "    ", "        "])
    return tokenizer


def unigram(texts, size, fallback=False, table=None):
    """SentencePiece's Unigram: XLM-RoBERTa's form, or with bytes for what is unknown."""
    tokenizer = Tokenizer(models.Unigram())
    steps = [normalizers.NFKC() if table is None else normalizers.Precompiled(table),
             normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer.normalizer = normalizers.Sequence(steps + [normalizers.Strip(False, True)] * (table is not None))
    whole = pre_tokenizers.Metaspace()
    tokenizer.pre_tokenizer = whole if fallback else pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), whole])
    special = ["<s>", "<pad>", "</s>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256) if fallback]
    trainer = trainers.UnigramTrainer(vocab_size=size + 256 * fallback, special_tokens=special, unk_token="<unk>",
                                      show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    data = json.loads(tokenizer.to_str())
    data["model"]["byte_fallback"] = fallback
    data["added_tokens"] = data["added_tokens"][:4]
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.decoder = decoders.Metaspace()
    if fallback:
        tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(one, tokenizer.token_to_id(one)) for one in ("<s>", "</s>")])
    return tokenizer


def bert(texts, size, lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
                                        show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    pair = [(one, tokenizer.token_to_id(one)) for one in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=pair) if lowercase else processors.BertProcessing(*pair)
    tokenizer.decoder = decoders.WordPiece(cleanup=lowercase)
    return tokenizer


def character_table():
    """A table of SentencePiece's for a few characters; what it ships for all of them has 240 kB."""
    import io, tempfile
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as messages
    rules = {"Ｆ": "F", "ｕ": "u", "ｌ": "l", "ｶﾞ": "ガ", "ｷ": "キ", "ﬁ": "fi", "㎏": "kg", "①": "1", "\u00a0": " ",
             "\u3000": " ", "\u200b": " ", "\u00ad": "", "\t": " ", "\r": "", "\n": " ", "e\u0301": "é", "\u212b": "Å",
             "\u2126": "Ω", "👩": "w"}
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as file:
        for old, new in rules.items():
            print(" ".join(f"{ord(one):X}" for one in old), " ".join(f"{ord(one):X}" for one in new), sep="\t", file=file)
        file.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d e f g"] * 20), model_writer=model, vocab_size=12,
            normalization_rule_tsv=file.name, hard_vocab_limit=False, minloglevel=2)
    spec = messages.ModelProto()
    spec.ParseFromString(model.getvalue())
    return spec.normalizer_spec.precompiled_charsmap


STYLES = {
    "gpt2": lambda texts, size: byte_level(texts, size, pre_tokenizers.ByteLevel(True)),
    "olmoe": olmoe,
    "llama3": lambda texts, size: byte_level(texts, size, levels(LLAMA3), ignore_merges=True, start="<|start|>"),
    "qwen": lambda texts, size: byte_level(texts, size, levels(QWEN), normalizers.NFC()),
    "o200k": lambda texts, size: byte_level(texts, size, levels(O200K), start="<|start|>"),
    "cl100k": lambda texts, size: byte_level(texts, size, levels(CL100K)),
    "deepseek": lambda texts, size: byte_level(texts, size, levels(*DEEPSEEK)),
    "llama2": llama2,
    "mixtral": mixtral,
    "metaspace": lambda texts, size: metaspace(texts, size, True),
    "unfused": lambda texts, size: metaspace(texts, size, False),
    "kimi": lambda texts, size: byte_level(texts, size, levels(KIMI), start="<|start|>"),
    "xlm-roberta": lambda texts, size: unigram(texts, size, table=character_table()),
    "unigram-bytes": lambda texts, size: unigram(texts, size, fallback=True),
    "bert": lambda texts, size: bert(texts, size, True),
    "bert-cased": lambda texts, size: bert(texts, size, False),
}


def train(folder, size, texts, styles=tuple(STYLES)):
    os.makedirs(folder, exist_ok=True)
    for style in styles:
        STYLES[style](texts, size).save(os.path.join(folder, style + ".json"), pretty=False)


if __name__ == "__main__":
    folder, size, *files = sys.argv[1:]
    lines = []
    for path in files:
        with open(path, encoding="utf-8", errors="replace") as file: lines += file.read(200_000).splitlines(True)
    train(folder, int(size), lines)
