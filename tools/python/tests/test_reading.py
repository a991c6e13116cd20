"""Snapshots, lazy tensors and experts."""

from __future__ import annotations

import gc
import json
import pickle
import re
import sys
import weakref
from pathlib import Path

import checkpoints
import numpy as np
import pytest

import cambium

EMBEDDING = "model.embed_tokens.weight"


def test_a_snapshot_is_a_mapping_of_names_to_lazy_tensors(store, model):
    tensors, config = model
    snapshot = store["main"]
    assert set(snapshot) == set(tensors) and len(snapshot) == len(tensors)
    assert EMBEDDING in snapshot and "other" not in snapshot
    assert snapshot.get("other") is None
    for name, tensor in snapshot.items():
        assert tensor.shape == tensors[name].shape and tensor.dtype == "F32"
        assert tensor.nbytes == tensors[name].nbytes and tensor.size == tensors[name].size
        assert np.array_equal(tensor[...], tensors[name])
        assert np.array_equal(np.asarray(tensor), tensors[name])
        assert np.asarray(tensor, np.float64).dtype == np.float64
        assert np.array(tensor).flags.writeable
    assert snapshot.config == config
    assert snapshot.files == ["config.json"]
    assert json.loads(snapshot.file("config.json")) == config
    assert snapshot.message == "as it came" and snapshot.commit.references == ["main"]


def test_arrays_are_views_of_the_map_at_one_address_and_read_only(store):
    snapshot = store["main"]
    first = snapshot.get_tensor(EMBEDDING)
    again = store["main"].get_tensor(EMBEDDING)
    address = first.__array_interface__["data"][0]
    assert address == again.__array_interface__["data"][0] and address % 64 == 0
    assert first.base is not None and not first.flags.writeable
    with pytest.raises(ValueError):
        first[0] = 1
    with pytest.raises(ValueError):
        first.flags.writeable = True
    copied = snapshot.get_tensor(EMBEDDING, copy=True)
    copied[0] = 1
    assert not np.array_equal(copied, first)


def test_arrays_outlive_their_snapshot_and_store(store, model):
    snapshot = store["main"]
    array = snapshot.get_tensor(EMBEDDING)
    row = snapshot[EMBEDDING][3]
    snapshot.close()
    store.close()
    del snapshot, store
    gc.collect()
    assert np.array_equal(array, model[0][EMBEDDING])
    assert np.array_equal(row, model[0][EMBEDDING][3])


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_only_what_is_touched_is_read(tmp_path):
    store = cambium.init(tmp_path / "S")
    store.commit({"large": np.random.default_rng(1).random(1 << 22)}, message="32 MiB")
    snapshot = cambium.open(store.path)["main"]
    before = resident()
    array = snapshot.get_tensor("large")
    array[:512].sum()
    assert resident() - before < 4 << 20
    array.sum()
    assert 24 << 20 < resident() - before < 40 << 20


def test_a_snapshot_goes_when_nobody_refers_to_it(store):
    snapshot = store["main"]
    array = snapshot.get_tensor(EMBEDDING)
    handle = weakref.ref(snapshot._handle)
    gc.disable()
    try:
        del snapshot
        assert handle() is not None
        del array
        assert handle() is None
    finally:
        gc.enable()


INDICES = [
    np.s_[...], np.s_[3], np.s_[-1], np.s_[3:9], np.s_[3:9:2], np.s_[9:3:-1], np.s_[::-1],
    np.s_[9:0:-4, ::3], np.s_[:, ::8], np.s_[5, 2], np.s_[5, None], np.s_[None], np.s_[..., 1],
    np.s_[4:2], np.s_[-3:], np.s_[:3:2, 1:], np.s_[()], np.s_[[1, 5, 1]], np.s_[np.int64(4)],
    np.s_[60:100, -2:], np.s_[2:3, ...],
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indices_mean_what_they_mean_to_numpy(store, model, index):
    expected = model[0][EMBEDDING][index]
    for snapshot in (store["main"], store["main"]):
        found = snapshot.get_slice(EMBEDDING)[index]
        assert found.shape == expected.shape and np.array_equal(found, expected)


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indices_of_stacked_experts_mean_the_same(tmp_path, model, index):
    store = cambium.init(tmp_path / "stacked")
    random = np.random.default_rng(1)
    stack = random.standard_normal((64, 8, 4)).astype(np.float32)
    store.commit(
        {"model.layers.0.mlp.experts.gate_up_proj": stack,
         "model.layers.0.mlp.experts.down_proj": stack.transpose(0, 2, 1).copy()},
        message="stacked",
    )
    name = "model.layers.0.mlp.experts.gate_up_proj"
    expected = stack[index]
    found = store["main"][name][index]
    assert found.shape == expected.shape and np.array_equal(found, expected)


def test_indices_out_of_bounds_are_refused(store):
    tensor = store["main"][EMBEDDING]
    for index in (64, -65, (0, 16), (0, 0, 0)):
        with pytest.raises(IndexError):
            tensor[index]


def test_experts_have_tensors_ids_and_who_shares_them(store, model):
    tensors, _ = model
    snapshot = store["main"]
    assert snapshot.layers == [0, 1]
    experts = snapshot.experts(layer=1)
    assert len(experts) == 4 and len(experts.ids) == 4
    expert = experts[2]
    assert set(expert.tensors) == {"gate_proj", "up_proj", "down_proj"}
    for name, array in expert.tensors.items():
        assert np.array_equal(array, tensors[f"model.layers.1.mlp.experts.2.{name}.weight"])
        assert not array.flags.writeable
    assert expert.data.tobytes() == b"".join(one.tobytes() for one in expert.tensors.values())
    assert expert.nbytes == sum(array.nbytes for array in expert.tensors.values())
    assert re.fullmatch("[0-9a-f]{64}", expert.id) and expert.id == experts[-2].id
    assert expert.shared_by() == ["heads/main"]
    assert [one.ordinal for one in experts] == [0, 1, 2, 3]
    assert [one.ordinal for one in experts[1:3]] == [1, 2]
    for wrong in (4, -5):
        with pytest.raises(IndexError):
            experts[wrong]
    with pytest.raises(cambium.NotFound):
        snapshot.experts(7)
    with pytest.raises(cambium.NotFound):
        expert.get_tensor("other")


def test_snapshots_tensors_and_experts_pickle_as_path_and_id(store, model):
    snapshot = store["main"]
    data = pickle.dumps((store, snapshot, snapshot[EMBEDDING], snapshot.experts(0)[1]))
    assert len(data) < 1000
    again, other, tensor, expert = pickle.loads(data)
    assert again.path == store.path and other == snapshot and hash(other) == hash(snapshot)
    assert np.array_equal(tensor[...], model[0][EMBEDDING])
    assert expert.id == snapshot.experts(0)[1].id


DTYPES = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4, "C64": 64,
}


def test_all_dtypes_of_safetensors_come_back(tmp_path: Path):
    random = np.random.default_rng(2)
    contents = {
        dtype: random.integers(0, 2 if dtype == "BOOL" else 256, 4 * 8 * bits // 8, np.uint8)
        for dtype, bits in DTYPES.items()
    }
    path = tmp_path / "all.safetensors"
    header, at = {}, 0
    for dtype, content in contents.items():
        header[dtype] = {"dtype": dtype, "shape": [4, 8], "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(
        content.tobytes() for content in contents.values()))
    store = cambium.init(tmp_path / "S")
    store.commit(path, message="all")
    snapshot = store["main"]
    for dtype, content in contents.items():
        assert snapshot.info(dtype) == (dtype, (4, 8))
        array = snapshot.get_tensor(dtype)
        assert array.tobytes() == content.tobytes()
        assert array.shape[0] == 4 and snapshot[dtype].nbytes == len(content)
        assert snapshot.get_tensor(dtype, copy=True).tobytes() == content.tobytes()
        if DTYPES[dtype] >= 8:
            assert array.shape == (4, 8)
            assert snapshot[dtype][1:3].tobytes() == array[1:3].tobytes()


def test_bf16_and_fp8_have_the_types_of_ml_dtypes(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    store = cambium.init(tmp_path / "S")
    values = np.array([[1.5, -2, 0.25]], np.float32)
    store.commit(
        {"a": values.astype(ml_dtypes.bfloat16), "b": values.astype(ml_dtypes.float8_e4m3fn)},
        message="x",
    )
    snapshot = store["main"]
    assert snapshot.info("a").dtype == "BF16" and snapshot.info("b").dtype == "F8_E4M3"
    for name in "ab":
        assert np.array_equal(snapshot.get_tensor(name).astype(np.float32), values)


def test_what_is_not_there_is_told_by_name(store, tmp_path):
    snapshot = store["main"]
    with pytest.raises(cambium.NotFound, match="'other'") as failure:
        snapshot["other"]
    assert isinstance(failure.value, KeyError) and failure.value.code == "not-found"
    with pytest.raises(cambium.NotFound):
        snapshot.get_tensor("other")
    with pytest.raises(cambium.NotFound):
        snapshot.file("other")
    with pytest.raises(cambium.NotFound):
        store["other"]
    assert "main" in store and "other" not in store and 3 not in store
    with pytest.raises(cambium.BadInput):
        snapshot.get_tensor(EMBEDDING, framework="jax")
    with pytest.raises(cambium.BadInput):
        snapshot.get_tensor("a\0b")
    with pytest.raises(cambium.BadInput):
        store[3]
    with pytest.raises(cambium.NotAStore):
        cambium.open(tmp_path)
    with pytest.raises(cambium.CambiumError):
        cambium.init(store.path)
    for path in ("", b"S", 3, None, "a\0b"):
        for make in (cambium.open, cambium.init):
            with pytest.raises(cambium.BadInput):
                make(path)


def test_what_is_closed_says_so(store):
    snapshot = store["main"]
    expert = snapshot.experts(0)[1]
    tensor = snapshot[EMBEDDING]
    array = snapshot.get_tensor(EMBEDDING)
    store.close()
    assert store.closed and repr(store).endswith("(closed)>")
    with pytest.raises(cambium.Closed) as failure:
        store["main"]
    assert failure.value.code == "closed"
    assert tensor[3].shape == (16,)
    snapshot.close()
    for use in (lambda: tensor[3], lambda: tensor[...], lambda: expert.tensors,
                lambda: snapshot.get_tensor(EMBEDDING), lambda: snapshot.commit):
        with pytest.raises(cambium.Closed):
            use()
    assert array.sum() == array.copy().sum()


def test_a_store_of_a_newer_format_is_refused(store):
    path = Path(store.path)
    store.close()
    checkpoints.raise_format(path / "data.mdb")
    with pytest.raises(cambium.NotAStore) as failure:
        cambium.open(path)
    assert failure.value.code == "format-too-new"


def test_without_ml_dtypes_numbers_are_unsigned_and_the_dtype_is_told(tmp_path, monkeypatch):
    from cambium import dtypes

    store = cambium.init(tmp_path / "S")
    bits = np.array([[0x3FC0, 0xC000]], np.uint16)
    store.commit({"a": cambium.TypedArray("BF16", bits),
                  "b": cambium.TypedArray("F8_E5M2", bits.view(np.uint8))}, message="x")
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    dtypes.numpy_types.cache_clear()
    try:
        snapshot = store["main"]
        a, b = snapshot.get_tensor("a"), snapshot.get_tensor("b")
        assert a.dtype == np.uint16 and np.array_equal(a, bits)
        assert b.dtype == np.uint8 and b.shape == (1, 4)
        assert snapshot.info("a").dtype == "BF16" and snapshot.info("b").dtype == "F8_E5M2"
        # What was read goes back as what it is.
        again = store.commit(dict(snapshot), message="again", branch="other", allow_unchanged=True)
        assert again.tree == snapshot.tree
    finally:
        dtypes.numpy_types.cache_clear()


def test_a_read_only_store_reads_and_does_not_write(store, model):
    reader = cambium.open(store.path, read_only=True)
    assert np.array_equal(reader["main"].get_tensor(EMBEDDING), model[0][EMBEDDING])
    for write in (
        lambda: reader.commit(model[0], message="x", allow_unchanged=True),
        lambda: reader.branch("x"), lambda: reader.tag("x"), lambda: reader.gc(prune=True),
        lambda: reader.switch("main"), lambda: reader.reset("main"), lambda: reader.revert("main"),
        lambda: reader.merge("main"), lambda: reader.delete_branch("main"),
        lambda: reader.rename_branch("main", "x"), lambda: reader.delete_tag("x"),
        lambda: reader.commit_patch("x", message="x"), lambda: reader.commit_adapter("x", base="y"),
    ):
        with pytest.raises(cambium.StorageFailure) as failure:
            write()
        assert failure.value.code == "read-only"
    with pytest.raises(cambium.StorageFailure):
        with reader.transaction(message="x") as t:
            t.put(EMBEDDING, model[0][EMBEDDING] + 1)
    assert pickle.loads(pickle.dumps(reader)).read_only
    assert len(store.log()) == 1 and [one.name for one in store.branches()] == ["main"]
