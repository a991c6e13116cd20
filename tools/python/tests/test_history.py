"""Branches, tags, the log, differences, merges, collection and verification."""

from __future__ import annotations

import numpy as np
import pytest

import cambium

EMBEDDING = "model.embed_tokens.weight"
GATE = "model.layers.1.mlp.gate.weight"


def down(layer: int, expert: int) -> str:
    return f"model.layers.{layer}.mlp.experts.{expert}.down_proj.weight"


@pytest.fixture
def sides(store, model):
    """Branches law and tax, which change the experts 1/2 and 1/3, and both 0/1."""
    for branch, expert, value in (("law", 2, 5.0), ("tax", 3, 6.0)):
        with store.transaction(branch, message=f"on {branch}") as t:
            t.put_expert(1, expert, {"down_proj": np.full((16, 8), value, np.float32)})
            t.put_expert(0, 1, {"down_proj": np.full((16, 8), value, np.float32)})
    return store


def test_branches_and_tags_come_move_and_go(store):
    first = store["main"].id
    store.branch("sft", at="main")
    store.tag("v1", "main")
    assert [one.name for one in store.branches()] == ["main", "sft"]
    assert [one.is_head for one in store.branches()] == [True, False]
    assert [(one.name, one.id, one.subject) for one in store.tags()] == [
        ("v1", first, "as it came")]
    with store.transaction("sft", message="step") as t:
        t.put_rows(GATE, [0], np.ones(16, np.float32))
    assert store["sft~1"].id == store["v1"].id == store[first[:12]].id == first
    assert store.current_branch == "main"
    store.switch("sft")
    assert store.current_branch == "sft" and store.resolve("HEAD") == t.result.id
    moved = store.reset("v1")
    assert (moved.old, moved.new) == (t.result.id, first)
    assert [one["new"] for one in store.reflog("heads/sft")][:2] == [first, t.result.id]
    store.switch(first)
    assert store.current_branch is None
    store.rename_branch("sft", "rl")
    store.delete_branch("rl")
    store.delete_tag("v1")
    assert [one.name for one in store.branches()] == ["main"] and store.tags() == []
    for wrong, kind in [
        (lambda: store.branch("main"), cambium.Exists),
        (lambda: store.branch("a b"), cambium.BadInput),
        (lambda: store.branch("x", at="nothing"), cambium.NotFound),
        (lambda: store.delete_branch("nothing"), cambium.NotFound),
        (lambda: store.delete_tag("nothing"), cambium.NotFound),
        (lambda: store.tag("t", 3), cambium.BadInput),
        (lambda: store.switch("nothing"), cambium.NotFound),
    ]:
        with pytest.raises(kind):
            wrong()


def test_the_log_tells_commits_newest_first(sides):
    sides.merge("law", into="main")
    log = sides.log("main", "tax")
    assert [one.subject for one in log][-1] == "as it came" and len(log) == 3
    assert [one.id for one in sides.log(all=True, limit=1)] == [log[0].id]
    assert sides.log("main", limit=0) == [] and repr(sides.log(limit=0)) == "<Log: no commits>"
    assert [one.subject for one in sides.log("main..tax")] == ["on tax"]
    assert {one.subject for one in sides.log("tax", path="1/3")} == {"on tax", "as it came"}
    assert [one.subject for one in sides.log("law", message="on l")] == ["on law"]
    assert sides.log("tax", author="nobody") == [] and sides.log("tax", until=1000) == []
    assert "on law" in repr(sides.log("law"))
    assert sides.show("tax").parents == [log[-1].id]
    for wrong in (lambda: sides.log("nothing"), lambda: sides.log(limit=-1),
                  lambda: sides.log(limit=2**65),
                  lambda: sides.log(since="then"), lambda: sides.gc(grace=-1)):
        with pytest.raises(cambium.CambiumError):
            wrong()


def test_the_log_sorts_by_a_metric(store, model):
    for number, loss in enumerate((3.0, 1.0, 2.0)):
        store.commit({**model[0], EMBEDDING: model[0][EMBEDDING] + number + 1},
                     message=str(loss), metrics={"loss": loss})
    assert [one.metrics.get("loss") for one in store.log(metric="loss")][:3] == [1.0, 2.0, 3.0]
    assert store.log(metric="loss", descending=True)[0].metrics["loss"] == 3.0


def test_a_difference_tells_experts_tensors_and_bytes(sides):
    diff = sides.diff("main", "law")
    assert diff.experts == {0: [1], 1: [2]} and diff.experts[7] == []
    assert not diff.identical and diff.tensors == {} and diff.files == {}
    assert diff.bytes == 2 * 3 * 16 * 8 * 4
    with sides.transaction("law", message="rows") as t:
        t.put_rows(GATE, [2], np.ones(16, np.float32))
    again = sides.diff("main", "law", norms=True)
    assert again.tensors == {GATE: "changed"} and again.bytes == diff.bytes + 4 * 16 * 4
    assert again.pools[1]["routers"][0]["rows"] == [2]
    assert again.pools[0]["changed"][0]["change"]["l2"] > 0
    same = sides.diff("law", "law")
    assert same.identical and same.bytes == 0 and "identical" in repr(same)
    assert "2 experts in 2 layers" in repr(diff)


def test_changes_turn_one_model_into_the_other(sides, model, tmp_path):
    with sides.transaction("law", message="elements") as t:
        t.put_elements(EMBEDDING, [3, 77], np.float32([1, 2]))
    changes = sides.changes("main", "law")
    arrays = {name: array.copy() for name, array in model[0].items()}
    changes.apply(arrays)
    for name, tensor in sides["law"].items():
        assert np.array_equal(arrays[name], tensor[...])
    found = []
    changes.each(found.append, [EMBEDDING])
    assert [(one.kind, one.indices.tolist(), one.values.tolist()) for one in found] == [
        ("elements", [3, 77], [1.0, 2.0])]
    with pytest.raises(ZeroDivisionError):
        changes.each(lambda change: 1 / 0)
    with pytest.raises(cambium.NotFound):
        changes.apply({})
    with pytest.raises(cambium.BadInput):
        changes.apply({name: array[..., :1] for name, array in arrays.items()})
    told = changes.write(tmp_path / "step.safetensors")
    assert told["sparse"] + told["whole"] >= 1
    with pytest.raises(cambium.Exists):
        changes.write(tmp_path / "step.safetensors")
    sides.branch("lagging", at="main")
    sides.commit_patch(tmp_path / "step.safetensors", message="the same", branch="lagging")
    assert sides["lagging"].tree == sides["law"].tree


def test_a_merge_takes_what_each_side_changed(store):
    for branch, expert in (("a", 2), ("b", 3)):
        with store.transaction(branch, message=branch) as t:
            t.put_expert(1, expert, {"down_proj": np.full((16, 8), expert, np.float32)})
    planned = store.merge(["a", "b"], into="main", dry_run=True)
    assert planned.kind == "merged" and planned.commit is None
    assert store["main"].message == "as it came"
    merged = store.merge(["a", "b"], into="main", message="both", author="x", time=5)
    assert merged.kind == "merged" and merged.commit == store["main"].id
    assert merged.tree == planned.tree == store["main"].tree
    experts = store["main"].experts(1)
    assert [experts[e].tensors["down_proj"][0, 0] for e in (2, 3)] == [2, 3]
    assert len(store["main"].commit.parents) >= 2
    assert store.merge("a", into="main").kind == "up-to-date"


def test_conflicts_are_raised_and_decided(sides):
    before = sides["main"].id
    told = sides.merge(["law", "tax"], into="main", dry_run=True)
    assert told.kind == "conflicts" and [one["path"] for one in told.conflicts] == ["0/1"]
    with pytest.raises(cambium.Conflict, match="0/") as failure:
        sides.merge(["law", "tax"], into="main")
    assert failure.value.code == "conflict" and failure.value.result.conflicts == told.conflicts
    assert sides["main"].id == before
    merged = sides.merge(["law", "tax"], into="main", take={"0/1": "tax"})
    assert merged.settled[0]["taken"] == "tax" and merged.conflicts == []
    assert sides["main"].experts(0)[1].tensors["down_proj"][0, 0] == 6
    sides.reset(before, branch="main")
    sides.merge(["law", "tax"], into="main", policy="mean")
    assert sides["main"].experts(0)[1].tensors["down_proj"][0, 0] == 5.5
    for wrong in (
        lambda: sides.merge(["law", "tax"], policy="best"), lambda: sides.merge(["nothing"]),
        lambda: sides.merge(["law"], density=-1), lambda: sides.merge(["law"], take=["x"]),
    ):
        with pytest.raises(cambium.CambiumError) as failure:
            wrong()
        assert failure.value.code != "internal"


def test_a_commit_is_undone(sides, model):
    undone = sides.revert("law", branch="law", allow_unfit=True)
    assert undone.commit == sides["law"].id and sides["law"].tree == sides["main"].tree


def test_collection_tells_and_removes(sides):
    sides.delete_branch("tax")
    told = sides.gc(grace=0)
    assert not told.pruned and told.dead_bytes > 0
    done = sides.gc(prune=True, grace=0)
    assert done.pruned and sides.gc(grace=0).dead_bytes == 0
    assert sides.verify().ok and bool(sides.verify(fast=True))
    assert sides.status()["branches"] == 2 and sides.stats()["commits"] == 2


def test_a_reader_keeps_what_it_reads(sides, model):
    array = sides["tax"].get_tensor(down(1, 3))
    lazy = sides["tax"]
    sides.delete_branch("tax")
    sides.gc(prune=True, grace=0)
    assert array[0, 0] == 6 and lazy[down(1, 3)][0, 0] == 6


def test_damage_is_told(sides):
    address = sides["law"].experts(1)[2].data
    content = address.tobytes()
    path = sides.path
    sides.close()
    del address
    data = bytearray(open(path + "/data.mdb", "rb").read())
    at = data.index(content)
    data[at] ^= 1
    with open(path + "/data.mdb", "r+b") as file:
        file.seek(at)
        file.write(data[at : at + 1])
    store = cambium.open(path)
    found = store.verify()
    assert not found and found.faults and "1 faults" in repr(found)
    with pytest.raises(cambium.Corrupt):
        store["law"].get_tensor("model.layers.1.mlp.experts.2.gate_proj.weight", check=True)


def test_a_store_is_repacked_when_nobody_has_it_open(sides):
    path = sides.path
    with pytest.raises(cambium.StorageFailure) as failure:
        cambium.repack(path)
    assert failure.value.code == "busy" and isinstance(failure.value, OSError)
    sides.close()
    assert cambium.repack(path, compress=True)["bytesAfter"] > 0
    assert cambium.migrate(path)["from"] == cambium.migrate(path)["to"]
    assert cambium.open(path)["law"].experts(1)[2].tensors["down_proj"][0, 0] == 5
