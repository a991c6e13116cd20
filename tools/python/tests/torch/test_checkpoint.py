"""torch.distributed.checkpoint in one process: what is kept where, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys

import models
import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import DefaultSavePlanner
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

import cambium
from cambium import companions
from cambium.torch import StorageReader, StorageWriter, staging

pytestmark = pytest.mark.filterwarnings("ignore")


def trained(seed: int = 0):
    """A model and its optimizer after one step."""
    model = models.tiny(seed=seed)
    optimizer = torch.optim.AdamW(model.parameters())
    model(models.tokens(seed), labels=models.tokens(seed)).loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return model, optimizer


def save(store, model, optimizer, *, keep: bool = True, step: int = 1, **more):
    weights, state = get_state_dict(model, optimizer)
    writer = StorageWriter(store, "run", config=model.config, optimizer=keep, **more)
    dcp.save({"model": weights, "optim": state, "step": step}, storage_writer=writer)
    return writer.commit


def load(store, revision: str = "run"):
    model, optimizer = trained(seed=9)
    weights, state = get_state_dict(model, optimizer)
    found = {"model": weights, "optim": state, "step": 0}
    dcp.load(found, storage_reader=StorageReader(store, revision))
    set_state_dict(model, optimizer, model_state_dict=found["model"],
                   optim_state_dict=found["optim"])
    return model, optimizer, found["step"]


def test_model_and_optimizer_go_on_as_if_nothing_had_been(store):
    model, optimizer = trained()
    save(store, model, optimizer, step=5)
    again, resumed, step = load(store)
    assert step == 5 and models.same(model.state_dict(), again.state_dict())
    for one, by in ((model, optimizer), (again, resumed)):
        one(models.tokens(3), labels=models.tokens(3)).loss.backward()
        by.step()
    assert models.same(model.state_dict(), again.state_dict())


def test_the_model_alone_is_the_commit_that_a_folder_gives(store, tmp_path):
    model, optimizer = trained()
    commit = save(store, model, optimizer, keep=False)
    assert not os.path.exists(f"{store.path}/companions")
    assert all("optim" not in name for name in store["run"])
    same = store.commit(model.state_dict(), config=model.config, branch="same", message="x")
    assert commit.tree == same.tree
    with pytest.raises(CheckpointException, match="Missing key"):
        load(store)


def test_only_the_newest_optimizer_state_of_a_branch_is_kept(store):
    model, optimizer = trained()
    first = save(store, model, optimizer)
    with torch.no_grad():
        model.model.norm.weight.mul_(2)
    second = save(store, model, optimizer)
    assert companions.find(store.path, first.id) is None
    assert companions.find(store.path, second.id).branch == "run"
    # A collection drops it as soon as no branch is at the commit; the model stays.
    store.gc(prune=True)
    assert companions.find(store.path, second.id) is not None
    with torch.no_grad():
        model.model.norm.weight.mul_(2)
    save(store, model, optimizer, keep=False)
    store.gc(prune=True)
    assert companions.find(store.path, second.id) is None
    assert store[second.id].id == second.id


def test_a_flat_state_dict_is_the_model(store):
    weights = {"weight": torch.randn(4, 3), "scale": torch.tensor(2.0), "empty": torch.zeros(0, 3)}
    dcp.save(weights, storage_writer=StorageWriter(store, "run", "flat"))
    found = {name: torch.full_like(tensor, -1) for name, tensor in weights.items()}
    dcp.load(found, storage_reader=StorageReader(store, "run"))
    assert models.same(found, weights)


@pytest.mark.parametrize("family", models.FAMILIES)
def test_a_committed_folder_loads_by_live_names(store, tmp_path, family):
    model = models.tiny(family)
    model.save_pretrained(tmp_path / "folder")
    store.commit(tmp_path / "folder", message="as saved")
    found = {name: torch.zeros_like(one) for name, one in model.state_dict().items()}
    dcp.load({"net": found}, storage_reader=StorageReader(store, root="net"))
    assert models.same(found, dict(model.state_dict()))


def test_tied_heads_are_kept_once(store):
    model = models.tiny(tie_word_embeddings=True)
    dcp.save({"model": model.state_dict()},
             storage_writer=StorageWriter(store, "run", config=model.config))
    assert "lm_head.weight" not in store["run"]
    found = {name: torch.zeros_like(one) for name, one in model.state_dict().items()}
    dcp.load({"model": found}, storage_reader=StorageReader(store, "run"))
    assert models.same(found, dict(model.state_dict()))


def test_one_writer_saves_often_and_with_cached_plans(store):
    weights = {"model": {"weight": torch.randn(4, 3)}, "optim": {"m": torch.randn(4, 3)}}
    writer = StorageWriter(store, "run", optimizer=True)
    planner = DefaultSavePlanner(enable_plan_caching=True)
    for number in range(3):
        weights["model"]["weight"].add_(1)
        dcp.save(weights, storage_writer=writer, planner=planner, checkpoint_id=f"save {number}")
    assert [one.message for one in store.log("run")] == ["save 2", "save 1", "save 0"]
    found = {"model": {"weight": torch.zeros(4, 3)}, "optim": {"m": torch.zeros(4, 3)}}
    dcp.load(found, storage_reader=StorageReader(store, "run"))
    assert models.same(found["model"], weights["model"])
    assert models.same(found["optim"], weights["optim"])


def test_files_of_the_branch_stay(store):
    model = models.tiny()
    store.commit(model.state_dict(), config=model.config, files={"notes.txt": b"kept"},
                 message="1", branch="run")
    dcp.save(model.state_dict(), storage_writer=StorageWriter(store, "run"))
    assert store["run"].file("notes.txt") == b"kept" and store["run"].config["hidden_size"] == 32


class Unknown:
    """What can only be pickled."""


@pytest.mark.parametrize("value", [Unknown(), [torch.zeros(1), Unknown()], {1, 2}])
def test_what_would_have_to_be_unpickled_is_refused(store, value):
    state = {"model": {"weight": torch.zeros(2)}, "extra": {"thing": value}}
    with pytest.raises(CheckpointException, match="thing"):
        dcp.save(state, storage_writer=StorageWriter(store, "run", optimizer=True))
    assert "run" not in store
    dcp.save(state, storage_writer=StorageWriter(store, "run"))
    assert list(store["run"]) == ["weight"]


@pytest.mark.parametrize("index", [
    "[]", "{", '{"kind": "dcp"}', '{"kind": "dcp", "tensors": [], "values": {}, "paths": {}}',
    '{"kind": "dcp", "tensors": {"a": {"dtype": "X", "shape": [1], "chunks": []}}, "values": {}}',
])
def test_a_wrong_index_is_an_error(store, index):
    dcp.save({"model": {"weight": torch.zeros(2)}, "optim": {"m": torch.ones(2)}},
             storage_writer=StorageWriter(store, "run", optimizer=True))
    path = companions.find(store.path, store["run"].id).folder / "index.json"
    path.write_text(index)
    with pytest.raises(CheckpointException):
        dcp.load({"model": {"weight": torch.zeros(2)}},
                 storage_reader=StorageReader(store, "run"))


@pytest.mark.parametrize("name", ["../../data.mdb", "index.json/..", "", ".hidden", 3, "missing"])
def test_an_index_does_not_lead_out_of_its_folder(store, name):
    dcp.save({"model": {"weight": torch.zeros(2)}, "optim": {"m": torch.ones(2)}},
             storage_writer=StorageWriter(store, "run", optimizer=True))
    path = companions.find(store.path, store["run"].id).folder / "index.json"
    index = json.loads(path.read_text())
    index["tensors"]["optim.m"]["chunks"][0]["file"] = name
    path.write_text(json.dumps(index))
    with pytest.raises(CheckpointException, match="which is not in it"):
        dcp.load({"model": {"weight": torch.zeros(2)}, "optim": {"m": torch.zeros(2)}},
                 storage_reader=StorageReader(store, "run"))


@pytest.mark.parametrize("value", [
    None, True, 3, -0.5, float("inf"), "text", b"\0bytes", [1, (2, [3])], {"a": {1: (None,)}}, {}])
def test_plain_data_comes_back_as_it_was(value):
    told = json.loads(json.dumps(companions.encode(value, "x"), allow_nan=False))
    assert companions.decode(told) == value and type(companions.decode(told)) is type(value)


@pytest.mark.parametrize("told", [{"pickle": "gASVAAAA"}, {"float": "x"}, {}, {"bytes": "?"},
                                  {"tuple": 3}, {"dict": [[[], 1]]}])
def test_other_values_are_refused(told):
    with pytest.raises(cambium.Corrupt):
        companions.decode(told)


def test_a_state_dict_without_a_model_is_refused(store):
    with pytest.raises(CheckpointException, match="no tensors of a model"):
        dcp.save({"optim": {"m": torch.zeros(2)}}, storage_writer=StorageWriter(store, "run"))
    with pytest.raises(cambium.BadInput, match="use_collectives"):
        dcp.save({"weight": torch.zeros(2)}, storage_writer=StorageWriter(store, "run"),
                 use_collectives=False)
    assert "run" not in store


def test_writers_pickle_and_saves_run_in_a_process_of_their_own(store, tmp_path):
    writer = pickle.loads(pickle.dumps(StorageWriter(store, "run", "elsewhere")))
    assert (writer.path, writer.branch, writer.message) == (store.path, "run", "elsewhere")


def test_only_files_that_nobody_locks_are_removed(store):
    mine = staging.Staging(store.path)
    kept = mine.write([("a", torch.ones(2, 3))])
    code = (
        "import os, sys, torch; from cambium.torch.staging import Staging;"
        "mine = Staging(sys.argv[1]);"
        "print(mine.write([('a', torch.ones(1))]), flush=True); os._exit(1)")
    left = subprocess.run([sys.executable, "-c", code, store.path], capture_output=True, text=True)
    assert staging.clear(store.path) == [left.stdout.strip()]
    assert os.listdir(mine.folder) == [kept]
    mine.end()
    assert os.listdir(mine.folder) == []
