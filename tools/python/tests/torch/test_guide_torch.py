"""The guide's code about torch and transformers runs."""

from __future__ import annotations

import guide
import pytest

import cambium


@pytest.mark.filterwarnings("ignore")
def test_the_guides_code_of_torch_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert guide.run("docs/python.md", ("python torch",), {"cambium": cambium}) == 3
    assert "['step 4', 'step 2']" in capsys.readouterr().out
