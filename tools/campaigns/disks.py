"""A disk that somebody else filled: an error, nothing lost, and a way to make room."""
import os, random, shutil, subprocess
from models import Model
from program import must, run
from report import Row
from steps import STEPS, apply, faults_of, prepared, states_of


class SmallDisk:
    """A memory disk of its own, unmounted at the end."""

    def __init__(self, place, size):
        self.place = place
        os.makedirs(place, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "campaign", place], check=True)

    def fill(self, left):
        """Writes a file until `left` bytes are free."""
        with open(self.place + "/filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\1" * 65536)
            except OSError:
                pass
        os.truncate(self.place + "/filler", max(0, os.path.getsize(self.place + "/filler") - left))

    def empty(self):
        os.remove(self.place + "/filler")

    def close(self):
        subprocess.run(["umount", self.place], check=True)


def full(history, folder, most, seed, large):
    rows = []
    if os.geteuid() != 0:
        print("campaign: full disks need root (mount); left out")
        return rows
    for step in STEPS:
        source, row = random.Random(f"{seed} full {step[0]}"), Row("full", f"{step[0]} on a full disk")
        sizes = [0, 8192, 65536, 4096, 16384, 262144]
        states = states_of(step, history, folder)
        for turn in range(most):
            left = sizes[turn % len(sizes)]
            disk = SmallDisk(folder + "/disk", "48m")
            try:
                store = disk.place + "/S"
                prepared(step, history, store)
                if step[0] != "init":
                    # A command that writes makes the reserve; a repack then leaves no free page.
                    must("tag", "touched", store=store)
                    must("tag", "--delete", "touched", store=store)
                    must("repack", store=store)
                disk.fill(left)
                outcome = apply(step, history, store)
                problems = [f"{outcome}"] if outcome.trapped or outcome.code == 4 else []
                if os.path.exists(store + "/data.mdb"):
                    if outcome.code != 0 and step[0] != "init":
                        for words in (["branch", "--delete", "left"], ["gc", "--prune", "--grace", "0"]):
                            way_out = run(*words, store=store)
                            if way_out.code != 0:
                                problems.append(f"no way to make room: {way_out}")
                        allowed = [[entry for entry in state if entry[1] != "left"] for state in states]
                    else:
                        allowed = states
                    disk.empty()
                    problems += faults_of(store, history, allowed, source, 1)
                row.tried(problems, f"{step[0]} with {left} bytes left", outcome.code != 0)
            finally:
                disk.close()
        rows.append(row)
    return rows
