"""Writes the table of compatibility decompositions, and the cases that the normal forms are tested by.

    python3 tools/golden/unicode.py

The table is of the newest Unicode, by unicodedata2 from PyPI; the cases are of Python's own, which Swift's library knows
as well: what is assigned keeps its forms in all later versions.
"""
import pathlib, random, unicodedata

import unicodedata2

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "Sources/Tokenizers/CompatibilityTable.swift"
CASES = ROOT / "Tests/TokenizersTests/Fixtures/normal-forms.txt"
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def table():
    """Runs of code points whose full decomposition is one and ascends with them, and single ones."""
    runs = []
    for code in SCALARS:
        whole = unicodedata2.normalize("NFKD", chr(code))
        if whole == unicodedata2.normalize("NFD", chr(code)):
            continue
        new = [ord(letter) for letter in whole]
        if runs and len(new) == len(runs[-1][2]) == 1:
            start, count, first = runs[-1]
            if start + count == code and first[0] + count == new[0]:
                runs[-1] = (start, count + 1, first)
                continue
        runs.append((code, 1, new))
    return runs


def write_source():
    words = []
    for start, count, new in table():
        many = f"+{count:X}" if count > 1 else ""
        words.append(f"{start:X}{many}={','.join(f'{code:X}' for code in new)}")
    lines, line = [], ""
    for word in words:
        if len(line) + 1 + len(word) > 96:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    lines.append(line)
    body = "\n".join("        " + line for line in lines)
    SOURCE.write_text(
        f"""// Written by tools/golden/unicode.py from Unicode {unicodedata2.unidata_version}; not by hand.

enum CompatibilityTable {{
    /// What the compatibility forms decompose beyond the canonical ones: `CODE=NEW,…` or, for ascending codes,
    /// `CODE+COUNT=NEW`, in hexadecimal.
    static let text = \"\"\"
{body}
        \"\"\"
}}
""")


def digest(data):
    """FNV-1a of 64 bits."""
    hash = 0xCBF29CE484222325
    for byte in data:
        hash = (hash ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return hash


def write_cases():
    """One digest for each block of 4,096 code points and form, of every assigned one; and texts of random ones."""
    lines = [f"# Unicode {unicodedata.unidata_version}; written by tools/golden/unicode.py"]
    assigned = [c for c in SCALARS if unicodedata.category(chr(c)) not in ("Cn", "Co")]
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        blocks = {}
        for code in assigned:
            blocks.setdefault(code >> 12, []).append(code)
        for block, codes in blocks.items():
            # Between letters, so that nothing composes with its neighbours in the digest.
            text = "".join(f"<{unicodedata.normalize(form, chr(code))}>" for code in codes)
            lines.append(f"block {form} {block:X} {len(codes)} {digest(text.encode()):X}")
    generator = random.Random(20261130)
    marks = [c for c in assigned if unicodedata.combining(chr(c))]
    changing = [c for c in assigned if unicodedata.normalize("NFKD", chr(c)) != chr(c)]
    for _ in range(300):
        text = "".join(
            chr(generator.choice(generator.choice((marks, changing, assigned, range(0x41, 0x5B)))))
            for _ in range(generator.randrange(1, 9)))
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            new = unicodedata.normalize(form, text)
            lines.append(f"text {form} {text.encode().hex()} {new.encode().hex()}")
    CASES.write_text("\n".join(lines) + "\n")
    # Which codes the digests are of: runs of assigned ones.
    runs = []
    for code in assigned:
        if runs and runs[-1][1] + 1 == code:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    with CASES.open("a") as file:
        file.write("assigned " + " ".join(f"{a:X}-{b:X}" for a, b in runs) + "\n")


if __name__ == "__main__":
    write_source()
    write_cases()
