"""Processes of one gloo group, and what they do in the tests of distributed saves."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import tempfile

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

from cambium.torch import StorageReader, StorageWriter

EXPERTS = "model.layers.0.mlp.experts.gate_up_proj"
DOWN = "model.layers.0.mlp.experts.down_proj"
ROUTER = "model.layers.0.mlp.gate.weight"
NORM = "model.norm.weight"
_PLACES = {EXPERTS: Shard(0), DOWN: Shard(2), ROUTER: Shard(0), NORM: Replicate()}


def whole(seed: int = 0) -> dict[str, torch.Tensor]:
    """The model of these tests: experts [8, 12, 6] and [8, 6, 6], router [8, 6], norm [6]."""
    random = torch.Generator().manual_seed(seed)
    shapes = {EXPERTS: (8, 12, 6), DOWN: (8, 6, 6), ROUTER: (8, 6), NORM: (6,)}
    return {name: torch.randn(shape, generator=random).to(torch.bfloat16)
            for name, shape in shapes.items()}


def sharded(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each tensor split over all ranks: by experts, by columns, or copied."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    return {name: distribute_tensor(tensor, mesh, [_PLACES[name]])
            for name, tensor in tensors.items()}


def run(count: int, action, *words) -> None:
    """Runs `action(rank, …)` on so many ranks; raises what one of them raised."""
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_start, (count, action, words, folder), nprocs=count)


def _start(rank: int, count: int, action, words, folder: str) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
    try:
        action(rank, *words)
    finally:
        dist.destroy_process_group()
    # The group's threads may outlive it where an exception holds it; one that asks for the interpreter while that
    # shuts down is ended by force, through C++ that does not allow it, and aborts the process. So what the
    # interpreter does at its end is done while it lives.
    gc.collect()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


# What the ranks do


def save(rank: int, path: str) -> None:
    """One save at once, and one in the background, with another model."""
    for seed, save in enumerate((dcp.save, dcp.async_save)):
        model = sharded(whole(seed))
        state = {"model": model, "step": 7 + seed,
                 "optim": {"exp_avg": sharded(whole(seed + 10)), "lr": 0.5, "betas": (0.9, 0.99)}}
        writer = StorageWriter(
            path, "run", f"save {seed}", config=CONFIG, optimizer=True)
        done = save(state, storage_writer=writer, process_group=dist.new_group())
        if hasattr(done, "result"):
            done.result()


def load(rank: int, path: str) -> None:
    """Loads both saves into shards of this group; the newest has optimizer state."""
    load_one(path, "run", 1, True)
    load_one(path, "run~1", 0, False)


def load_one(path: str, revision: str, seed: int, optimizer: bool) -> None:
    """Loads a save into shards of this group and compares each with its own."""
    state = {"model": empty()}
    if optimizer:
        state |= {"step": 0, "optim": {"exp_avg": empty(), "lr": 0.0, "betas": (0.0, 0.0)}}
    dcp.load(state, storage_reader=StorageReader(path, revision))
    compare(state["model"], seed)
    if optimizer:
        compare(state["optim"]["exp_avg"], seed + 10)
        assert (state["step"], state["optim"]["lr"]) == (7 + seed, 0.5)
        assert state["optim"]["betas"] == (0.9, 0.99)


def empty() -> dict[str, torch.Tensor]:
    return sharded({name: torch.zeros_like(tensor) for name, tensor in whole().items()})


def compare(found, seed: int) -> None:
    for name, tensor in sharded(whole(seed)).items():
        assert torch.equal(found[name].to_local(), tensor.to_local()), name


def fail(rank: int, path: str, how: str) -> None:
    """A save of which rank 1 fails after its shards are written."""
    from cambium.torch import staging

    written = staging.Staging.write

    def write(self, tensors):
        written(self, tensors)
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError("the disk went away")

    if rank == 1:
        staging.Staging.write = write
    try:
        dcp.save({"model": sharded(whole(5))}, storage_writer=StorageWriter(path, "run", "failed"))
    except CheckpointException as error:
        assert how == "raised" and "the disk went away" in str(error)
    else:
        raise AssertionError("the save succeeded")


CONFIG = {
    "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": 6,
    "moe_intermediate_size": 6, "num_experts": 8, "num_experts_per_tok": 2, "num_hidden_layers": 1,
    "num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": 4,
}
