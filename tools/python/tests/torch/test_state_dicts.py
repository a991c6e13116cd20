"""Commits of state dicts, and tensors that torch gets back."""

from __future__ import annotations

import pickle

import models
import numpy as np
import pytest
import torch

import cambium


@pytest.mark.parametrize("family", models.FAMILIES)
@pytest.mark.parametrize("tied", [False, True], ids=["", "tied"])
def test_a_state_dict_gives_the_id_of_what_save_pretrained_writes(tmp_path, family, tied):
    model = models.tiny(family, dtype=torch.bfloat16, tie_word_embeddings=tied)
    model.tie_weights()
    model.save_pretrained(tmp_path / "folder")
    ids = []
    for number, source in enumerate([tmp_path / "folder", model.state_dict()]):
        store = cambium.init(tmp_path / f"S{number}")
        more = {} if number == 0 else {
            "files": {path.name: path for path in (tmp_path / "folder").glob("*.json")}}
        ids.append(store.commit(source, message="x", author="a", time=1, **more).id)
        assert len(store["main"].layers) >= 1
    assert ids[0] == ids[1]
    # A config of transformers in the place of its file: the same model, so nothing of it is new.
    third = cambium.open(tmp_path / "S1").commit(
        model.state_dict(), config=model.config, message="x", allow_unchanged=True)
    assert third["newExperts"] == 0


def test_every_family_that_transformers_converts_is_known():
    from transformers import conversion_mapping

    from cambium import fused

    table = conversion_mapping._MODEL_TO_CONVERSION_PATTERN
    wanted = {name for name, other in table.items() if other == "qwen2_moe" and name[0].islower()}
    assert wanted <= fused._FORMS.keys()


def test_tensors_are_views_of_the_map(store):
    values = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    made = {
        str(dtype): values.to(dtype) for dtype in (
            torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8,
            torch.int16, torch.int32, torch.int64, torch.bool, torch.complex64,
            torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz)
    }
    made["turned"] = values.T
    made["none"] = torch.empty(0, 3)
    made["scalar"] = torch.tensor(3.0)
    made["e8m0"] = torch.tensor([1, 2, 3], dtype=torch.uint8).view(torch.float8_e8m0fnu)
    store.commit(made, message="all")
    snapshot = store["main"]
    for name, tensor in made.items():
        found = snapshot.get_tensor(name, framework="pt")
        assert found.dtype == tensor.dtype and found.shape == tensor.shape, name
        assert torch.equal(found.contiguous().view(torch.uint8) if found.ndim else found,
                           tensor.contiguous().view(torch.uint8) if tensor.ndim else tensor), name
        if tensor.numel():
            again = snapshot.get_tensor(name, framework="pt")
            assert again.data_ptr() == found.data_ptr()
            assert found.data_ptr() == snapshot.get_tensor(name).__array_interface__["data"][0]
    bf16 = snapshot.get_slice("torch.bfloat16", framework="pt")
    assert bf16[1:3].data_ptr() == bf16[...].data_ptr() + 12
    assert torch.equal(bf16[:, ::2], made["torch.bfloat16"][:, ::2])


def test_what_is_changed_of_one_tensor_does_not_show_in_another(store):
    store.commit({"a": torch.zeros(3, 4)}, message="x")
    snapshot = store["main"]
    snapshot.get_tensor("a", framework="pt").resize_(0).requires_grad_()
    again = snapshot.get_tensor("a", framework="pt")
    assert again.shape == (3, 4) and not again.requires_grad
    copied = snapshot.get_tensor("a", framework="pt", copy=True)
    copied += 1
    assert snapshot.get_tensor("a", framework="pt").sum() == 0


def test_a_device_is_read_beside_the_map(store, recwarn):
    store.commit({"a": torch.arange(6.0), "b": torch.ones(2, dtype=torch.bfloat16)}, message="x")
    snapshot = store["main"]
    assert snapshot.get_tensor("a", framework="pt", device="meta").device.type == "meta"
    assert torch.equal(snapshot.get_tensor("a", framework="pt", device="cpu"), torch.arange(6.0))
    assert torch.equal(snapshot["b"].torch(device="cpu:0"), torch.ones(2, dtype=torch.bfloat16))
    with pytest.raises(cambium.BadInput):
        snapshot.get_tensor("a", device="cpu")
    assert [one for one in recwarn if "writ" in str(one.message)] == []


def test_tensors_that_have_no_data_are_refused(store):
    for wrong in (torch.empty(2, device="meta"), torch.eye(3).to_sparse(),
                  torch.zeros(2, dtype=torch.complex128), torch.nn.Linear(1, 1)):
        with pytest.raises(cambium.BadInput):
            store.commit({"a": wrong}, message="x")
    grown = torch.ones(3, requires_grad=True)
    store.commit({"a": grown, "b": torch.nn.Parameter(torch.zeros(2))}, message="x")
    assert store["main"].get_tensor("a").tolist() == [1, 1, 1]


class Rows(torch.utils.data.Dataset):
    def __init__(self, snapshot, name):
        self.tensor = snapshot.get_slice(name, framework="pt")

    def __len__(self):
        return len(self.tensor)

    def __getitem__(self, row):
        return self.tensor[row]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader_read_rows(store, method):
    values = torch.arange(64.0).reshape(16, 4)
    store.commit({"a": values}, message="x")
    loader = torch.utils.data.DataLoader(
        Rows(store["main"], "a"), batch_size=4, num_workers=4, multiprocessing_context=method)
    assert torch.equal(torch.cat(list(loader)), values)


def test_lazy_tensors_pickle_with_their_framework(store):
    store.commit({"a": torch.arange(4.0)}, message="x")
    tensor = pickle.loads(pickle.dumps(store["main"].get_slice("a", framework="pt")))
    assert torch.equal(tensor[1:], torch.arange(4.0)[1:])
    assert isinstance(store["main"]["a"][1:], np.ndarray)


def test_a_snapshot_of_torch_gives_arrays_where_they_are_asked_for(store):
    model = models.tiny(dtype=torch.bfloat16)
    store.commit(model.state_dict(), config=model.config, message="x")
    snapshot = store.snapshot("main", framework="pt")
    name = "model.norm.weight"
    assert isinstance(snapshot[name][...], torch.Tensor)
    assert isinstance(snapshot[name].numpy(), np.ndarray)
    assert isinstance(np.asarray(snapshot[name]), np.ndarray)
    assert isinstance(snapshot.experts(0)[1].tensors["down_proj"], torch.Tensor)
    again = store.commit(dict(snapshot), message="again", branch="b", allow_unchanged=True)
    assert again.tree == snapshot.tree
    assert snapshot.plot_experts().images[0].get_array().shape == (2, 8)


def test_a_transaction_takes_tensors(store):
    model = models.tiny()
    store.commit(model.state_dict(), config=model.config, message="x")
    with store.transaction(message="some") as t:
        t.put_expert(layer=1, expert=3, tensors={"down_proj": torch.ones(32, 16)})
        t.put_rows("model.layers.1.mlp.gate.weight", torch.tensor([5]), torch.ones(32))
        t.put_elements("model.norm.weight", torch.tensor([1]), torch.tensor([7.0]))
    snapshot = store.snapshot("main", framework="pt")
    assert snapshot.experts(1)[3].tensors["down_proj"].sum() == 32 * 16
    assert snapshot["model.layers.1.mlp.gate.weight"][5].sum() == 32
    assert snapshot["model.norm.weight"][1] == 7
