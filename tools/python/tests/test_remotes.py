"""Remotes: a folder between two stores."""

import numpy as np
import pytest

import cambium


def _model(seed: float) -> dict[str, np.ndarray]:
    return {"a": np.full((4, 4), seed, np.float32), "b": np.arange(8, dtype=np.float32)}


@pytest.fixture
def pair(tmp_path):
    first = cambium.init(tmp_path / "S")
    first.commit(_model(1), message="one")
    url = f"file://{tmp_path}/remote"
    first.add_remote("origin", url)
    first.push()
    cambium.clone(url, tmp_path / "T")
    return first, cambium.open(tmp_path / "T")


def test_a_clone_has_what_was_pushed(pair):
    first, second = pair
    assert second.resolve("main") == first.resolve("main") == first.resolve("origin/main")
    np.testing.assert_array_equal(second["main"].get_tensor("a"), _model(1)["a"])
    assert second.remotes()["origin"].startswith("file://")
    assert second.verify().faults == []


def test_a_lazy_clone_reads_what_is_asked_for(tmp_path, pair):
    first, _ = pair
    url = first.remotes()["origin"]
    came = cambium.clone(url, tmp_path / "L", lazy=True)
    assert came["fetch"]["transfer"]["objects"] > 0
    lazy = cambium.open(tmp_path / "L")
    np.testing.assert_array_equal(lazy["main"].get_tensor("a"), _model(1)["a"])
    assert lazy.verify().faults == []


def test_what_is_new_goes_back_and_forth(pair):
    first, second = pair
    second.commit(_model(2), message="two")
    pushed = second.push("origin", "main")
    assert pushed["transfer"]["commits"] == 1
    assert first.fetch()["updates"][0]["name"] == "main"
    assert first.resolve("origin/main") != first.resolve("main")
    assert first.pull()["merge"]["kind"] == "fast-forward"
    assert first.resolve("main") == second.resolve("main")
    assert first.push()["updates"][0]["isUnchanged"]


def test_who_is_late_is_told(pair):
    first, second = pair
    second.commit(_model(2), message="theirs")
    second.push()
    first.commit(_model(3), message="mine")
    with pytest.raises(cambium.BranchMoved):
        first.push()
    with pytest.raises(cambium.Conflict) as told:
        first.pull()
    assert told.value.result["merge"]["conflicts"]
    first.pull(policy="mean")
    first.push()


def test_progress_can_end_a_push_and_nothing_moved(pair):
    first, _ = pair
    first.commit(_model(4), message="four")
    with pytest.raises(cambium.Cancelled):
        first.push(progress=lambda *_: False)
    first.fetch()
    assert first.resolve("origin/main") != first.resolve("main")
    first.push()


def test_what_cannot_be_is_told(tmp_path, pair):
    first, _ = pair
    with pytest.raises(cambium.NotFound):
        first.push("nowhere")
    with pytest.raises(cambium.BadInput):
        first.add_remote("other", "http://host/x")
    with pytest.raises(cambium.Exists):
        first.add_remote("origin", f"file://{tmp_path}/x")
    with pytest.raises(cambium.RemoteFailure) as told:
        cambium.clone(f"file://{tmp_path}/nothing", tmp_path / "U")
    assert told.value.code == "remote" and isinstance(told.value, OSError)
    with pytest.raises(cambium.BadInput):
        first.push(jobs=0)
    with pytest.raises(cambium.StorageFailure):
        cambium.open(first.path, read_only=True).push()
    first.remove_remote("origin")
    assert first.remotes() == {}
