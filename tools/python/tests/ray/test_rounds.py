"""Rounds on a real Ray cluster of this machine: three nodes with a disk of their own each, of which one is lost."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

# Before Ray is imported: a node that does not answer is given up after a second, not half a minute.
for name, value in {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "2",
}.items():
    os.environ.setdefault(name, value)

import ray
import ray.cluster_utils

import cambium.ray

SAMPLE = Path(__file__).resolve().parents[3] / "sample"
PROGRAM = os.environ.get("CAMBIUM", "cambium")
DOMAINS = ["gsm8k", "metamath", "shakespeare", "swahili"]


def program(*words: str, store: Path) -> str:
    return subprocess.run(
        [PROGRAM, "-C", str(store), *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with texts, and with two remotes that have the same base."""
    folder = tmp_path_factory.mktemp("rounds")
    os.environ["CAMBIUM_AUTHOR"] = "Ada"
    store = folder / "S"
    subprocess.run([PROGRAM, "init", str(store)], check=True, capture_output=True)
    program("commit", str(SAMPLE / "base"), "-m", "base", store=store)
    program(
        "evidence", "add", "--adapter", "base", "--text", str(SAMPLE / "text/gsm8k/test.txt"), store=store)
    for name in ["one", "two"]:
        program("remote", "add", name, f"file://{folder}/{name}", store=store)
        program("push", name, "main", store=store)
    for domain in DOMAINS:
        text = (SAMPLE / "text" / domain / "train.txt").read_bytes()[:30_000]
        (folder / f"{domain}.txt").write_bytes(text)
    # Trains; says where, and one of them waits in the middle until it is told to go on.
    script = folder / "train"
    script.write_text(f"""#!/bin/bash
set -eu
echo "${{NODE:-none}}" >>{folder}/ran.$1
"{PROGRAM}" train --data {folder}/$1.txt --steps 2 --threads 1 --adapter $1 -m "round: $1" -q
if [ "$1" = metamath ]; then until [ -e {folder}/go ]; do sleep 0.1; done; fi
""")
    script.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def cluster(place: Path):
    cluster = ray.cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = {}
    for number in range(3):
        scratch = place / f"disk{number}"
        scratch.mkdir()
        nodes[f"node{number}"] = cluster.add_node(
            num_cpus=1, env_vars={"NODE": f"node{number}", "CAMBIUM_SCRATCH": str(scratch)})
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster, nodes
    ray.shutdown()
    cluster.shutdown()


def ran(place: Path, domain: str) -> list[str]:
    file = place / f"ran.{domain}"
    return file.read_text().split() if file.exists() else []


def test_a_lost_node(place: Path, cluster) -> None:
    """What a lost node had runs elsewhere, and the merged commit is that of rounds one after the other."""
    cluster, nodes = cluster

    @ray.remote(num_cpus=0, max_retries=0)
    def all_rounds():
        return cambium.ray.map_rounds(
            [{"name": domain} for domain in DOMAINS], [str(place / "train"), "{name}"],
            remote=f"file://{place}/one", program=PROGRAM)

    head = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False)
    running = all_rounds.options(scheduling_strategy=head).remote()
    end = time.monotonic() + 240
    while not ran(place, "metamath"):
        assert time.monotonic() < end, "the round did not begin"
        if ray.wait([running], timeout=0.1)[0]:
            ray.get(running)
    lost = ran(place, "metamath")[0]
    cluster.remove_node(nodes[lost], allow_graceful=False)
    while len(ran(place, "metamath")) < 2:
        assert time.monotonic() < end, "the lost round did not begin elsewhere"
        time.sleep(0.1)
    (place / "go").touch()
    rounds = ray.get(running, timeout=240)
    assert [item.name for item in rounds] == DOMAINS
    assert [item.branch for item in rounds] == [f"train/{domain}" for domain in DOMAINS]
    assert lost not in ran(place, "metamath")[1:]
    merged = cambium.ray.merge_rounds(
        reversed(rounds), remote=f"file://{place}/one", into="main", program=PROGRAM)
    (place / "tasks.jsonl").write_text("".join(json.dumps({"name": name}) + "\n" for name in DOMAINS))
    alone = program(
        "round", "submit", "--engine", "local", "--jobs", "1", "--remote", "two", "--tasks",
        str(place / "tasks.jsonl"), "--merge", "main", "--folder", str(place / "local"), "--json", "--",
        str(place / "train"), "{name}", store=place / "S")
    status = json.loads(alone)
    assert [row["commit"] for row in status["rows"]] == [item.commit for item in rounds]
    assert status["merge"]["commit"] == merged
    assert {item.name: item.metrics["train.steps"] for item in rounds} == dict.fromkeys(DOMAINS, 2.0)


def test_again(place: Path, cluster) -> None:
    """Finished rounds are found, from any base that the branch is at by now, by its name too."""
    before = {domain: ran(place, domain) for domain in DOMAINS}
    base = json.loads(program("show", "main", "--json", store=place / "S"))["id"]
    rounds = cambium.ray.map_rounds(
        [{"name": domain} for domain in DOMAINS], [str(place / "train"), "{name}"],
        remote=f"file://{place}/one", base=base, base_branch="main", program=PROGRAM)
    assert not any(item.is_new for item in rounds)
    by_name = cambium.ray.map_rounds(
        [{"name": domain} for domain in DOMAINS], [str(place / "train"), "{name}"],
        remote=f"file://{place}/one", program=PROGRAM)
    assert by_name == rounds and {item.base for item in rounds} == {base}
    assert before == {domain: ran(place, domain) for domain in DOMAINS}


def test_one_base(place: Path, cluster) -> None:
    """All tasks start from one commit, also when the branch moves while they run; fields may have any character."""
    remote = f"file://{place}/two"
    move = place / "move"
    move.write_text(f"""#!/bin/bash
set -eu
cd {place}
if [ "$1" = 0 ]; then
    "{PROGRAM}" clone {remote} moving -q
    "{PROGRAM}" -C moving evidence add --adapter base --text swahili.txt -q
    "{PROGRAM}" -C moving push -q
    touch moved
fi
for try in $(seq 600); do [ ! -e moved ] || exit 0; sleep 0.1; done
exit 1
""")
    move.chmod(0o755)
    rounds = cambium.ray.map_rounds(
        [{"name": f"base{index}", "word": "next\u2028line"} for index in range(6)],
        ["env", "-u", "CAMBIUM_STORE", str(move), "{index}"], remote=remote,
        options=["--allow-empty", "--message", "none"], program=PROGRAM)
    assert [item.name for item in rounds] == [f"base{index}" for index in range(6)]
    assert {item.base for item in rounds} == {rounds[0].base}
    assert rounds[0].base not in program("round", "base", "main", "--remote", remote, "-q", store=place / "S")


def test_failures(place: Path, cluster) -> None:
    """A command's status, what the remote refuses and a program that is not there are exceptions."""
    remote = f"file://{place}/two"
    with pytest.raises(cambium.ray.RoundFailed) as failed:
        cambium.ray.map_rounds(2, ["bash", "-c", "echo words; exit {0}"], remote=remote, program=PROGRAM)
    assert failed.value.status in (1, 64) and failed.value.task in ("0", "1")
    with pytest.raises(cambium.ray.RoundFailed) as taken:
        cambium.ray.map_rounds([{"name": "swahili"}], ["other"], remote=remote, program=PROGRAM)
    assert taken.value.code == "exists"
    with pytest.raises(cambium.ray.RoundFailed, match="no program"):
        cambium.ray.map_rounds(1, ["true"], remote=remote, program="/nowhere/cambium")
    with pytest.raises(cambium.CambiumError):
        cambium.ray.merge_rounds(["train/none"], remote=remote, into="main", program=PROGRAM)
    for tasks in (0, []):
        with pytest.raises(cambium.BadInput):
            cambium.ray.map_rounds(tasks, ["true"], remote=remote)
