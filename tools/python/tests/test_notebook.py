"""What a notebook shows."""

from __future__ import annotations

import re
import sys
import types
from html.parser import HTMLParser

import numpy as np
import pytest

import cambium

GATE = "model.layers.1.mlp.gate.weight"


def text_of(html: str) -> str:
    """The text of HTML whose tags are all closed."""
    found, open_tags = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

        def handle_data(self, data):
            found.append(data)

    Reader().feed(html)
    assert open_tags == []
    return " ".join(found)


@pytest.fixture
def sides(store):
    for branch, value in (("law", 5.0), ("tax", 6.0)):
        with store.transaction(branch, message=f"<script>alert('{branch}')</script>",
                               metrics={"loss": value}) as t:
            t.put_expert(0, 1, {"down_proj": np.full((16, 8), value, np.float32)})
            t.put_rows(GATE, [2], np.full(16, value, np.float32))
    return store


def test_html_tells_what_there_is_and_escapes_it(sides):
    sides.tag("v1", "main")
    shown = {
        "store": (sides, ["law", "tag v1", "main ←", "alert('law')"]),
        "log": (sides.log("law"), ["loss", "5", "as it came"]),
        "diff": (sides.diff("main", "law"), ["layer 0", "experts 1", f"{GATE}, rows 2", "kB"]),
        "same": (sides.diff("law", "law"), ["the same model"]),
        "merge": (sides.merge(["law", "tax"], dry_run=True), ["conflicts into main", "undecided"]),
        "settled": (sides.merge(["law", "tax"], dry_run=True, policy="mean"), ["merged", "mean"]),
        "snapshot": (sides["main"], ["layer 1", "45 tensors", "as it came"]),
    }
    for name, (value, words) in shown.items():
        html = value._repr_html_()
        assert "<script" not in html, name
        text = text_of(html)
        for word in words:
            assert word in text, (name, word, text)
    sides.close()
    assert "closed" in text_of(sides._repr_html_())


def test_what_is_printed_is_short(sides):
    for value in (sides, sides["main"], sides["main"][GATE], sides["main"].experts(0),
                  sides["main"].experts(0)[1], sides.diff("main", "law"), sides.show("law"),
                  sides.branches()[0], sides.gc(), sides.verify(), sides.changes("main", "law"),
                  sides.merge(["law", "tax"], dry_run=True)):
        assert re.fullmatch(r"<\w.{5,250}>", repr(value)), repr(value)


def test_pictures(sides):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = sides["law"].plot_experts()
    assert axes.images[0].get_array().shape == (2, 4)
    changed = sides["law"].plot_experts(against="main").images[0].get_array()
    assert changed.tolist() == [[0, 1, 0, 0], [0, 0, 0, 0]]
    assert len(sides.plot_history().collections) == 3
    lines = sides.plot_history("loss").get_lines()
    assert {tuple(one.get_ydata()) for one in lines} == {(5.0,), (6.0,)}
    with pytest.raises(cambium.NotFound):
        sides.plot_history("other")
    with pytest.raises(cambium.NotFound):
        sides["main"].plot_experts(pool="other")


def test_progress_true_is_a_bar_of_tqdm(store, model, monkeypatch):
    made = []

    class Bar:
        def __init__(self, total, desc, **_):
            self.total, self.desc, self.n, self.closed = total, desc, 0, False
            made.append(self)

        def update(self, more):
            self.n += more

        def close(self):
            self.closed = True

    auto = types.ModuleType("tqdm.auto")
    auto.tqdm = Bar
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", auto)
    store.commit({name: array + 1 for name, array in model[0].items()}, message="x", progress=True)
    assert made and all(one.closed for one in made) and made[-1].n > 0
