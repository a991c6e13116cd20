"""The code of the documents runs."""

from __future__ import annotations

import re

import guide

import cambium
from cambium import errors


def test_the_code_of_the_guide_runs(tmp_path, monkeypatch, capsys):
    guide.folders(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert guide.run("docs/python.md", ("python",), {}) >= 8
    printed = capsys.readouterr().out
    assert "<CommitResult" in printed and "branch-moved" in printed


def test_the_guides_table_of_exceptions_is_true():
    text = (guide.ROOT / "docs/python.md").read_text()
    rows = re.findall(r"^\| `(\w+)`[^|]*\|([^|]*)\| ([^|]*) \|$", text, re.M)
    told = {name: (bases.strip(), codes) for name, bases, codes in rows if hasattr(cambium, name)}
    assert told.keys() == {family.__name__ for family in errors.FAMILIES}
    for family, codes in errors.FAMILIES.items():
        bases, listed = told[family.__name__]
        assert re.sub(r" \([^)]*\)", "", listed).split(", ") == list(codes)
        builtin = [one.__name__ for one in family.__bases__ if one.__module__ == "builtins"]
        assert ", ".join(builtin) == bases or family is errors.CambiumError


def test_every_code_of_the_library_has_its_family():
    header = (guide.ROOT / "Sources/CCambium/include/cambium.h").read_text()
    words = {
        one.lower().replace("_", "-")
        for one in re.findall(r"^    CAMBIUM_([A-Z_]+) = \d+,?$",
                              header.split("typedef enum cambium_code")[1].split("}")[0], re.M)
    } - {"ok"}
    assert words == {code for codes in errors.FAMILIES.values() for code in codes}
    assert isinstance(errors.make("new-code", "x"), cambium.CambiumError)


def test_every_function_of_the_header_is_declared_here():
    from cambium._library import _SIGNATURES

    folder = guide.ROOT / "Sources/CCambium/include"
    headers = (
        "cambium.h", "cambium_quantize.h", "cambium_remotes.h", "cambium_report.h")
    header = "".join((folder / name).read_text() for name in headers)
    names = set(re.findall(r"^cambium_code cambium_(\w+)\(", header, re.M))
    assert names == set(_SIGNATURES)
