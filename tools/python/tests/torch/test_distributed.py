"""torch.distributed.checkpoint between several processes."""

from __future__ import annotations

import os

import pytest
import ranks
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from cambium.torch import StorageReader, StorageWriter

pytestmark = pytest.mark.filterwarnings("ignore")


def test_saves_of_two_ranks_load_into_one_and_into_four(store):
    ranks.run(2, ranks.save, store.path)
    log = store.log("run")
    assert [commit.message for commit in log] == ["save 1", "save 0"]
    assert os.listdir(f"{store.path}/staging") == []
    # The same model in one process has the same id: nothing tells how many ranks there were.
    one = store.commit(ranks.whole(1), message="whole", branch="whole", config=ranks.CONFIG,
                       allow_unfit=True)
    assert one.tree == store["run"].tree
    ranks.run(4, ranks.load, store.path)
    state = {"model": {name: torch.zeros_like(one) for name, one in ranks.whole().items()}}
    dcp.load(state, storage_reader=StorageReader(store.path, "run"))
    for name, tensor in ranks.whole(1).items():
        assert torch.equal(state["model"][name], tensor), name


@pytest.mark.parametrize("how", ["killed", "raised"])
def test_a_save_of_which_a_rank_fails_leaves_nothing(store, how):
    store.commit(ranks.whole(), message="before", branch="run", config=ranks.CONFIG)
    head = store["run"].id
    if how == "killed":
        with pytest.raises((ProcessExitedException, ProcessRaisedException)):
            ranks.run(2, ranks.fail, store.path, how)
    else:
        ranks.run(2, ranks.fail, store.path, how)
    assert store["run"].id == head
    assert store.verify().faults == []
    left = os.listdir(f"{store.path}/staging")
    assert len(left) == (1 if how == "killed" else 0)
    # The next save removes what the crash left, and nothing of a save that goes on.
    writer = StorageWriter(store.path, "run", "after")
    dcp.save({"model": ranks.whole(3)}, storage_writer=writer)
    assert writer.commit.id == store["run"].id != head
    assert os.listdir(f"{store.path}/staging") == []


def test_a_lost_race_is_an_error_and_commits_nothing(store):
    first = store.commit(ranks.whole(), message="1", branch="run", config=ranks.CONFIG)
    second = store.commit(ranks.whole(1), message="2", branch="run", config=ranks.CONFIG)
    with pytest.raises(CheckpointException, match="run"):
        dcp.save({"model": ranks.whole(2)},
                 storage_writer=StorageWriter(store, "run", parent=first.id))
    assert store["run"].id == second.id
