"""Stores, snapshots and arrays in forked and spawned processes, and in threads."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import cambium

EMBEDDING = "model.embed_tokens.weight"
GATE = "model.layers.1.mlp.gate.weight"


def in_child(body) -> None:
    """Runs a body in a forked child, and fails where it does, or hangs."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            body()
            code = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr)
        finally:
            os._exit(code)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the child hangs")


def leases(store) -> list[str]:
    return os.listdir(os.path.join(store.path, "leases"))


def test_a_forked_child_reads_what_its_parent_had_open(store, model):
    snapshot = store["main"]
    tensor, expert = snapshot[EMBEDDING], snapshot.experts(1)[2]
    array, ids = snapshot.get_tensor(EMBEDDING), expert.id
    before = leases(store)

    def body() -> None:
        assert np.array_equal(array, model[0][EMBEDDING])
        assert np.array_equal(tensor[3:5], model[0][EMBEDDING][3:5])
        assert np.array_equal(snapshot.get_tensor(EMBEDDING), model[0][EMBEDDING])
        assert expert.id == ids and expert.tensors["down_proj"].shape == (16, 8)
        assert store["main"].id == snapshot.id and store.log()[0].id == snapshot.id

    in_child(body)
    assert set(before) <= set(leases(store))
    assert np.array_equal(snapshot.get_tensor(EMBEDDING), model[0][EMBEDDING])


def test_a_forked_child_commits(store, model):
    with store.transaction(message="parent") as t:
        t.put_rows(GATE, [0], np.ones(16, np.float32))

    def body() -> None:
        with store.transaction("child", message="child") as t:
            t.put_rows(GATE, [1], np.ones(16, np.float32))
        store.commit(model[0], message="whole", branch="whole")

    in_child(body)
    assert store["child"].message == "child" and store["whole"].message == "whole"
    store.commit(model[0], message="parent goes on", branch="after")
    assert store.verify().ok


def test_a_child_that_lets_go_leaves_the_parents_lease(store, model):
    snapshot = store["main"]
    before = leases(store)

    def body() -> None:
        snapshot.close()
        store.close()

    in_child(body)
    assert leases(store) == before
    store.delete_branch("main") if store.current_branch != "main" else None
    store.gc(prune=True, grace=0)
    assert np.array_equal(snapshot.get_tensor(EMBEDDING), model[0][EMBEDDING])


def test_children_of_children_open_anew(store, model):
    snapshot = store["main"]

    def body() -> None:
        assert snapshot[EMBEDDING][0, 0] == model[0][EMBEDDING][0, 0]
        in_child(lambda: snapshot[EMBEDDING][1:2].sum())
        assert snapshot[EMBEDDING][0, 1] == model[0][EMBEDDING][0, 1]

    in_child(body)


def test_a_fork_while_threads_read_does_not_hang(store):
    snapshot = store["main"]
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            snapshot._memory(EMBEDDING)
            store["main"].close()

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            in_child(lambda: (store["main"].get_tensor(EMBEDDING).sum(), snapshot[GATE][0]))
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def total(tensor) -> float:
    return float(np.asarray(tensor).sum())


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_a_pool_get_lazy_tensors(store, model, method):
    snapshot = store["main"]
    tensors = [snapshot[name] for name in list(snapshot)[:6]]
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = pool.map(total, tensors)
    assert found == [float(model[0][one.name].sum()) for one in tensors]


def test_a_worker_that_is_killed_leaves_no_lock(store, model):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            kept = store["main"]
            kept.get_tensor(EMBEDDING)
            number = 0
            os.write(writer, b"x")
            while True:
                number += 1
                store.commit({**model[0], EMBEDDING: model[0][EMBEDDING] + number},
                             message="x", branch="child")
        finally:
            os._exit(1)
    # Closed here as well, reading ends when the child does.
    os.close(writer)
    assert os.read(reader, 1) == b"x"
    assert [one for one in leases(store) if f".{child}." in one]
    time.sleep(0.3)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    begin = time.monotonic()
    store.commit({**model[0], EMBEDDING: model[0][EMBEDDING] - 1}, message="after")
    assert time.monotonic() - begin < 10
    assert store.verify().ok
    store.gc(prune=True, grace=0)
    assert not [one for one in leases(store) if f".{child}." in one]


def test_threads_read_at_the_same_time(store, model):
    snapshot = store["main"]
    failed = []

    def read(seed: int) -> None:
        random = np.random.default_rng(seed)
        names = list(model[0])
        try:
            for _ in range(100):
                name = names[random.integers(len(names))]
                if not np.array_equal(snapshot[name][...], model[0][name]):
                    failed.append(name)
                if not np.array_equal(snapshot[name][1:], model[0][name][1:]):
                    failed.append(name)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_the_library_works_without_the_interpreters_lock(store):
    store.commit({"large": np.random.default_rng(1).random(1 << 22)}, message="32 MiB",
                 branch="large", allow_unfit=True)
    begun, ticks, ended = threading.Event(), [], threading.Event()

    def tick() -> None:
        begun.set()
        while not ended.wait(0.001):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    begun.wait()
    start = time.monotonic()
    store.verify()
    end = time.monotonic()
    ended.set()
    thread.join()
    # With the lock held, no tick could come between the call and its return.
    inside = [one for one in ticks if start + 0.005 < one < end - 0.005]
    assert end - start > 0.015 and inside


def test_the_process_ends_cleanly_with_everything_open(store, tmp_path):
    program = f"""
import cambium, pickle, threading
store = cambium.open({store.path!r})
snapshot = store["main"]
array = snapshot.get_tensor({EMBEDDING!r})
kept = [store["main"].experts(0)[1].data for _ in range(10)]
threading.Thread(target=lambda: array.sum()).start()
print(array.sum())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.strip()
    assert len(leases(store)) <= 1


def test_an_engine_is_opened_anew_in_a_child(tmp_path, model):
    import checkpoints

    tensors, config = checkpoints.qwen3_moe(vocabulary=256)
    store = cambium.init(tmp_path / "E")
    store.commit(tensors, message="x", config=config)
    engine = store.engine("main")
    expected = engine.generate_tokens([1, 2], max_new_tokens=4)

    def body() -> None:
        assert engine.generate_tokens([1, 2], max_new_tokens=4) == expected

    in_child(body)
    assert pickle.loads(pickle.dumps(engine)).generate_tokens([1, 2], max_new_tokens=4) == expected


def test_threads_that_commit_to_one_branch_lose_nothing(store):
    failed = []

    def add(row: int) -> None:
        try:
            for _ in range(5):
                while True:
                    try:
                        with store.transaction("main", message=f"row {row}") as t:
                            value = t.snapshot[GATE][row]
                            t.put_rows(GATE, [row], value + np.float32(1))
                        break
                    except cambium.BranchMoved:
                        continue
        except Exception as error:
            failed.append(error)

    before = store["main"].get_tensor(GATE, copy=True)
    threads = [threading.Thread(target=add, args=(row,)) for row in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    expected = before
    for _ in range(5):
        expected = expected + np.float32(1)
    assert np.array_equal(store["main"].get_tensor(GATE), expected)
    assert len(store.log("main")) == 21 and store.verify().ok
