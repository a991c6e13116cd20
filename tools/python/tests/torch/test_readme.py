"""The README's session in Python prints what it says."""

from __future__ import annotations

import guide


def test_the_readmes_session_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = guide.session("README.md")
    assert results.attempted >= 18 and results.failed == 0
