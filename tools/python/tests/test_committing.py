"""Commits of folders, mappings and single changes."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import checkpoints
import numpy as np
import pytest

import cambium

EMBEDDING = "model.embed_tokens.weight"
GATE = "model.layers.1.mlp.gate.weight"
DOWN = "model.layers.1.mlp.experts.2.down_proj.weight"


def same(snapshot, tensors):
    assert set(snapshot) == set(tensors)
    for name, array in tensors.items():
        assert np.array_equal(snapshot.get_tensor(name), array), name


def test_a_mapping_a_folder_and_fused_names_give_the_same_tree(tmp_path, folder, model):
    tensors, config = model
    text = (folder / "config.json").read_bytes()
    trees = []
    for number, (source, more) in enumerate([
        (folder, {}), (tensors, {"files": {"config.json": text}}),
        (checkpoints.fused(tensors), {"files": {"config.json": text}}),
    ]):
        store = cambium.init(tmp_path / f"S{number}")
        result = store.commit(source, message="x", author="a", time=1, **more)
        trees.append((result.tree, result.id))
        same(store["main"], tensors)
    assert trees[0] == trees[1] == trees[2]


def test_fused_names_are_taken_apart_as_the_branch_has_them(store, model):
    tensors, config = model
    tensors = dict(tensors)
    tensors[DOWN] = tensors[DOWN] * 2
    result = store.commit(checkpoints.fused(tensors), message="doubled")
    assert not result.unchanged and result["newExperts"] == 1
    same(store["main"], tensors)
    assert store["main"].config == config
    assert store.commit(tensors, message="again").unchanged


def test_mixtral_has_the_names_of_its_checkpoints(tmp_path):
    random = np.random.default_rng(1)
    gate_up = random.standard_normal((2, 8, 4)).astype(np.float32)
    down = random.standard_normal((2, 4, 4)).astype(np.float32)
    router = random.standard_normal((2, 4)).astype(np.float32)
    store = cambium.init(tmp_path / "S")
    with pytest.raises(cambium.CambiumError):
        store.commit({"model.layers.0.mlp.experts.gate_up_proj": gate_up[0]}, message="x",
                     config={"model_type": "mixtral"})
    store.commit(
        {"model.layers.0.mlp.experts.gate_up_proj": gate_up,
         "model.layers.0.mlp.experts.down_proj": down, "model.layers.0.mlp.gate.weight": router},
        message="x", config={"model_type": "mixtral"}, allow_unfit=True)
    start = "model.layers.0.block_sparse_moe."
    same(store["main"], {
        start + "gate.weight": router,
        **{f"{start}experts.{e}.w1.weight": gate_up[e, :4] for e in range(2)},
        **{f"{start}experts.{e}.w3.weight": gate_up[e, 4:] for e in range(2)},
        **{f"{start}experts.{e}.w2.weight": down[e] for e in range(2)},
    })


def test_what_a_commit_is_told_is_there_again(store, model):
    result = store.commit(
        model[0], message="same", branch="other", allow_unchanged=True, author="Ada <a@b>",
        time=datetime(2026, 1, 2, tzinfo=timezone.utc),
        metadata={"eval.gsm8k": 0.41, "note": "ü", "done": True}, metrics={"loss": 1.5},
    )
    commit = store["other"].commit
    assert commit.id == result.id and result.branch == "other"
    assert commit.metadata == {"eval.gsm8k": "0.41", "note": "ü", "done": "true"}
    assert commit.metrics == {"loss": 1.5} and commit.author == "Ada <a@b>"
    assert commit.time == datetime(2026, 1, 2, tzinfo=timezone.utc)
    assert store["other"].tree == store["main"].tree


def test_compare_and_swap_raises_branch_moved(store, model):
    before = store["main"].id
    changed = {**model[0], EMBEDDING: model[0][EMBEDDING] + 1}
    after = store.commit(changed, message="first", parent=before)
    with pytest.raises(cambium.BranchMoved) as failure:
        store.commit(model[0], message="late", parent=before)
    assert failure.value.code == "branch-moved"
    assert store["main"].id == after.id


def test_arrays_are_taken_in_any_layout(tmp_path):
    store = cambium.init(tmp_path / "S")
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays = {
        "plain": base, "turned": base.T, "stepped": base[::-2, ::2], "big": base.astype(">f4"),
        "scalar": np.float64(3), "none": np.empty((0, 3), np.int16),
        "flag": np.array([True, False]),
        "turned.big": base.astype(">f4").T,
    }
    store.commit(arrays, message="layouts")
    same(store["main"], arrays)
    # A snapshot's own tensors go on without a copy.
    result = store.commit(dict(store["main"]), message="the same", branch="copy",
                          allow_unchanged=True)
    assert result.tree == store["main"].tree and result["newObjects"] == 1  # the commit
    same(store["copy"], arrays)


def test_raw_numbers_are_committed_with_their_dtype(tmp_path):
    store = cambium.init(tmp_path / "S")
    bits = np.array([[0x3FC0, 0xC000]], np.uint16)
    store.commit(
        {"a": cambium.TypedArray("BF16", bits),
         "b": cambium.TypedArray("F4", np.array([[1, 2, 3]], np.uint8))}, message="x")
    assert store["main"].info("a") == ("BF16", (1, 2))
    assert store["main"].info("b") == ("F4", (1, 6))
    assert store["main"].get_tensor("a").tobytes() == bits.tobytes()
    for wrong in (("BF16", bits.astype(np.uint32)), ("F99", bits), ("F6_E2M3", np.uint8([1]))):
        with pytest.raises(cambium.BadInput):
            store.commit({"a": cambium.TypedArray(*wrong)}, message="x")


@pytest.mark.parametrize(
    "tensors", [
        {"a": [1.0, 2.0]}, {"a": "text"}, {"a": None}, {3: np.zeros(1)},
        {"a": np.array(["x"])}, {"a": np.array([object()])}, {"a": np.zeros(1, "M8[s]")},
        {"a": np.zeros(1, np.complex128)}, {"a\0b": np.zeros(1)}, {"\ud800": np.zeros(1)},
        {"a": np.zeros(2, [("x", "f4")])},
    ], ids=str)
def test_what_cannot_be_a_tensor_is_refused_by_name(store, tensors):
    before = store["main"].id
    with pytest.raises(cambium.BadInput) as failure:
        store.commit(tensors, message="wrong")
    assert failure.value.code != "internal" and str(failure.value)
    assert store["main"].id == before


def test_wrong_arguments_are_refused(store, model, folder, tmp_path):
    before = store["main"].id
    for wrong in (
        lambda: store.commit(3, message="x"), lambda: store.commit(model[0], message=3),
        lambda: store.commit(model[0], message="x", branch="a..b"),
        lambda: store.commit(model[0], message="x", parent="nothing"),
        lambda: store.commit(model[0], message="x", metrics={"a": "b"}),
        lambda: store.commit(model[0], message="x", metadata=[1]),
        lambda: store.commit(model[0], message="x", metadata={"a": object()}),
        lambda: store.commit(model[0], message="x", config=3),
        lambda: store.commit(folder, message="x", config={}),
        lambda: store.commit(model[0], message="x", files={"../a": b""}),
        lambda: store.commit(tmp_path / "nothing", message="x"),
        lambda: store.commit({}, message="x"),
        lambda: store.commit(model[0], message="x", time="now"),
        lambda: store.commit(model[0], message="x", time=2**70),
    ):
        with pytest.raises(cambium.CambiumError) as failure:
            wrong()
        assert failure.value.code != "internal"
    assert store["main"].id == before


def test_a_bad_checkpoint_is_refused(store, folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:-1])
    with pytest.raises(cambium.BadCheckpoint) as failure:
        store.commit(folder, message="cut off")
    assert failure.value.code == "truncated" and isinstance(failure.value, ValueError)


def test_progress_is_told_and_ends_the_work(store, model):
    told = []
    changed = {name: array + 1 for name, array in model[0].items()}
    store.commit(changed, message="x", progress=lambda *step: told.append(step))
    assert told and all(0 <= done <= max(total, done) for _, done, total in told)
    before = store["main"].id
    with pytest.raises(cambium.Cancelled):
        store.commit(model[0], message="x", progress=lambda *_: False)

    class Mine(Exception):
        pass

    def fails(*_):
        raise Mine("here")

    with pytest.raises(Mine, match="here"):
        store.commit(model[0], message="x", progress=fails)
    assert store["main"].id == before


def test_a_transaction_is_one_commit(store, model):
    tensors = {name: array.copy() for name, array in model[0].items()}
    before = store["main"].id
    with store.transaction(message="some", metadata={"a": "b"}) as t:
        tensors[DOWN] += 1
        t.put_expert(layer=1, expert=2, tensors={"down_proj": tensors[DOWN]})
        tensors[GATE][3] = 7
        t.put_rows(GATE, [3], tensors[GATE][3])
        tensors[GATE][1:3] = 8
        t.put_rows(GATE, np.array([2, 1]), tensors[GATE][1:3])
        tensors[EMBEDDING].reshape(-1)[[5, 100]] = [1, 2]
        t.put_elements(EMBEDDING, [100, 5, 5], np.float32([2, 9, 1]))
        tensors["lm_head.weight"][2, 3] = 4
        t.put_elements("lm_head.weight", ([2], [3]), np.float32([4]))
        tensors["model.norm.weight"][:] = 3
        t.put("model.norm.weight", tensors["model.norm.weight"])
    same(store["main"], tensors)
    assert store["main"].commit.parents == [before] == t.result.parents
    assert store["main"].metadata == {"a": "b"} and t.result["newExperts"] == 1
    # The same model as a whole is the same tree.
    assert store.commit(tensors, message="whole").unchanged


def test_experts_come_and_go_in_a_transaction(tmp_path):
    random = np.random.default_rng(1)

    def expert():
        return {name: random.standard_normal((4, 4)).astype(np.float32) for name in "ab"}

    first = [expert() for _ in range(3)]
    store = cambium.init(tmp_path / "S")
    store.commit(
        {f"layers.0.experts.{e}.{name}.weight": array for e in range(3)
         for name, array in first[e].items()}, message="three")
    assert len(store["main"].experts(0)) == 3
    new = expert()
    with store.transaction(message="one more") as t:
        t.put_expert(0, 3, new)
        t.remove_expert(0, 1)
    experts = store["main"].experts(0)
    assert len(experts) == 4 and [one.ordinal for one in experts] == [0, 2, 3]
    assert np.array_equal(experts[3].tensors["a"], new["a"])
    with pytest.raises(cambium.NotFound):
        experts[1].tensors
    with pytest.raises(cambium.BadInput):
        with store.transaction(message="half") as t:
            t.put_expert(0, 4, {"a": new["a"]})


def test_a_transaction_makes_a_branch_and_leaves_nothing_on_error(store, model):
    before = store["main"].id
    with store.transaction("sft", message="x") as t:
        t.put_rows(GATE, [0], np.ones(16, np.float32))
    assert store["sft"].commit.parents == [before] and store["main"].id == before
    with pytest.raises(RuntimeError):
        with store.transaction("sft", message="x") as t:
            t.put_rows(GATE, [0], np.zeros(16, np.float32))
            raise RuntimeError
    assert store["sft"].id == store["sft"].id and store["sft"].get_tensor(GATE)[0, 0] == 1
    with pytest.raises(cambium.CambiumError):
        t.put(GATE, model[0][GATE])
    with store.transaction("sft", message="nothing") as t:
        pass
    assert t.result is None


def test_a_transaction_on_a_branch_that_moved_is_refused(store, model):
    with pytest.raises(cambium.BranchMoved):
        with store.transaction("main", message="late") as t:
            t.put_rows(GATE, [0], np.ones(16, np.float32))
            store.commit({**model[0], EMBEDDING: model[0][EMBEDDING] + 1}, message="first")


def test_what_does_not_fit_is_refused_where_it_is_put(store):
    one = np.ones(16, np.float32)
    with store.transaction(message="x") as t:
        for wrong, kind in [
            (lambda: t.put("other", one), cambium.NotFound),
            (lambda: t.put(GATE, one), cambium.BadInput),
            (lambda: t.put(GATE, np.ones((4, 16))), cambium.BadInput),
            (lambda: t.put_rows(GATE, [4], one), cambium.NotFound),
            (lambda: t.put_rows(GATE, [-1], one), cambium.NotFound),
            (lambda: t.put_rows(GATE, [1, 2], one), cambium.BadInput),
            (lambda: t.put_rows(GATE, [1.5], one), cambium.BadInput),
            (lambda: t.put_rows(GATE, [[1]], one), cambium.BadInput),
            (lambda: t.put_elements(GATE, [64], np.ones(1, np.float32)), cambium.NotFound),
            (lambda: t.put_elements(GATE, ([4], [0]), np.ones(1, np.float32)), cambium.BadInput),
            (lambda: t.put_expert(1, 9, {}), cambium.NotFound),
            (lambda: t.put_expert(9, 0, {}), cambium.NotFound),
            (lambda: t.put_expert(1, 0, {"x": one}), cambium.NotFound),
            (lambda: t.put_expert(1, 0, {"down_proj": one}), cambium.BadInput),
            (lambda: t.remove_expert(1, 4), cambium.NotFound),
        ]:
            with pytest.raises(kind):
                wrong()
    assert t.result is None
    with pytest.raises(cambium.BadInput):
        with store.transaction(message="x") as t:
            t.put(GATE, np.ones((4, 16), np.float32))
            t.put_rows(GATE, [1], one)


def test_an_export_is_what_was_committed(store, folder, tmp_path, model):
    snapshot = store["main"]
    snapshot.export(tmp_path / "out")
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()
    with pytest.raises(cambium.CambiumError):
        snapshot.export(tmp_path / "out")
    snapshot.save_pretrained(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == model[1]
