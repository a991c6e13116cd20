"""Reports: the page, and its figures as records and texts."""
import pytest

import cambium


def test_a_page_is_one_text_with_every_figure(store, tmp_path):
    page = store.report(title="<mine>", output=tmp_path / "report.html")
    assert page.startswith("<!doctype html>") and "&lt;mine&gt;" in page
    assert (tmp_path / "report.html").read_text() == page
    for name in ("history", "matrix", "merges"):
        assert f'id="{name}"' in page
    with pytest.raises(cambium.NotFound):
        store.report("nowhere")


def test_a_figure_is_a_record_or_a_text(store):
    commits = store.figure("history")["commits"]
    assert [one["id"] for one in commits] == [one.id for one in store.log(all=True)]
    assert store.figure("history", form="csv").startswith("commit,subject,")
    assert store.figure("history", form="svg").startswith("<?xml")
    for wrong in ({"name": "pie"}, {"name": "history", "form": "png"}):
        with pytest.raises(cambium.BadInput):
            store.figure(**wrong)
