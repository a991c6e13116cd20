"""Times saves of torch.distributed.checkpoint on ranks of one machine: into a store, and as files.

    python_distributed.py PLACE SIZE RANKS ROUNDS
Prints {"cambium": [seconds], "files": [seconds], "right": whether a load gives the last save back}.
"""
import json, os, shutil, sys, time

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

import python_store
from cambium.torch import StorageReader, StorageWriter


def start(rank, place, size, ranks, rounds):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{place}/meeting-{ranks}", rank=rank, world_size=ranks)
    mesh = init_device_mesh("cpu", (ranks,))
    state = {name: distribute_tensor(tensor, mesh, [Shard(0) if tensor.dim() > 1 else Replicate()], src_data_rank=None)
             for name, tensor in python_store.model(size).items()}
    found, branch = {"cambium": [], "files": []}, f"ranks-{ranks}"
    writers = {
        "cambium": lambda number: StorageWriter(f"{place}/S", branch, str(number), config=python_store.config(size)),
        "files": lambda number: dcp.FileSystemWriter(f"{place}/dcp-{ranks}-{number}")}
    for number in range(rounds + 1):
        # One expert of each layer and rank changes.
        for name, tensor in state.items():
            if "down_proj" in name: tensor.to_local()[number % size["experts"] // ranks].mul_(-1)
        for way, writer in writers.items():
            dist.barrier()
            begin = time.perf_counter()
            dcp.save({"model": state}, storage_writer=writer(number))
            if number: found[way].append(time.perf_counter() - begin)
        dist.barrier()
        if rank == 0: shutil.rmtree(f"{place}/dcp-{ranks}-{number}")
    loaded = {name: tensor.clone().zero_() for name, tensor in state.items()}
    dist.barrier()
    begin = time.perf_counter()
    dcp.load({"model": loaded}, storage_reader=StorageReader(f"{place}/S", branch))
    found["load"] = [time.perf_counter() - begin]
    found["right"] = all(torch.equal(loaded[name].to_local(), state[name].to_local()) for name in state)
    if rank == 0: print(json.dumps(found), flush=True)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    place, size, ranks, rounds = sys.argv[1:]
    size = python_store.QUICK if size == "quick" else python_store.FULL
    torch.multiprocessing.spawn(start, (place, size, int(ranks), int(rounds)), nprocs=int(ranks))
