"""A disk that somebody else filled: an error, nothing lost, and a way to make room."""
import os, subprocess, sys
from program import must, run
from report import Row
from steps import STEPS


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


SIZES = [0, 8192, 65536, 4096, 16384, 262144]


def full_lines(plan, history):
    if os.geteuid() != 0:
        print("campaign: full disks need root (mount); left out", file=sys.stderr)
        return []
    return [(f"{step.name} on a full disk", step) for step in STEPS]


def full(what, step, history, folder, plan):
    row = Row(plan, "full", what)
    states = step.states(history, folder + "/place")
    # A store of an old format has no reserve: the current one makes it.
    is_current = not step.makes_store and not step.name.startswith("migrate")
    for turn in plan.turns:
        left, source = SIZES[turn % len(SIZES)], plan.source("full", what, turn)
        disk = SmallDisk(folder + "/disk", "48m")
        try:
            place = disk.place + "/place"
            store = step.prepared(history, place)
            if is_current:
                # A command that writes makes the reserve; a repack then leaves no free page.
                must("tag", "touched", store=store)
                must("tag", "--delete", "touched", store=store)
                must("repack", store=store)
            disk.fill(left)
            outcome = step.apply(history, place)
            problems = [f"{outcome}"] if outcome.trapped or outcome.code == 4 else []
            allowed = states if outcome.code else states[-1:]
            if outcome.code and is_current:
                for words in (["branch", "--delete", "left"], ["gc", "--prune", "--grace", "0"]):
                    way_out = run(*words, store=store)
                    if way_out.code != 0:
                        problems.append(f"no way to make room: {way_out}")
                allowed = [state and [entry for entry in state if entry[1] != "left"] for state in states]
            disk.empty()
            problems += step.faults(history, place, allowed, source, 1)
            row.tried(problems, turn, f"{what} with {left} bytes left", outcome.code != 0)
        finally:
            disk.close()
    return [row]
