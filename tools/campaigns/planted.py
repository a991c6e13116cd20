"""A fault is planted for each kind, and the campaign has to find it: who finds none of these would find no real one.

The library of faults lies as a wrong program would (FAULT_BREAK in Tests/CFaults), or a script stands in
front of the program and does something wrong.
"""
import concurrent.futures, multiprocessing, os, shutil
import program
from report import Plan

VERIFIES_NOTHING = 'case " $* " in *" verify "*) exit 0;; esac\nexec "$PROGRAM" "$@"\n'
TRAPS_ON_ERRORS = '"$PROGRAM" "$@"; code=$?\n[ $code != 1 ] || kill -ILL $$\nexit $code\n'
NO_RESERVE = 'for last; do :; done\nrm -f "$last/reserve"\nexec "$PROGRAM" "$@"\n'
UNSEEN = 'for last; do :; done\nenv -u LD_PRELOAD touch "$last/unseen"\nexec "$PROGRAM" "$@"\n'

# Part, line, tries; what is wrong, by which lie of the library or by which script.
PLANTS = [
    ("seam", "commit", 1, "a file is made behind the library's back", None, UNSEEN),
    ("kill", "commit", 30, "roots are written before the pages that they name", "late", None),
    ("fail", "commit, a write fails", 30, "failing writes are left out and said to have worked", "swallowing", None),
    ("fail", "commit, a read fails", 4, "the program ends by a signal when a read fails", "trapping", None),
    ("power", "commit, the power fails", 30, "a commit syncs nothing", "unsynced", None),
    ("power", "init, the power fails", 30, "init syncs nothing", "unsynced", None),
    ("power", "repack, the power fails", 30, "a repack syncs nothing", "unsynced", None),
    ("power", "backup, the power fails", 30, "a backup syncs nothing", "unsynced", None),
    ("flip", "packs records", 30, "verify looks at nothing", None, VERIFIES_NOTHING),
    ("fuzz", "config.json", 20, "errors are traps", None, TRAPS_ON_ERRORS),
    ("full", "commit on a full disk", 1, "there is no reserve", None, NO_RESERVE),
    ("crowd", "8 readers, 2 writers", 20, "no lock is ever held", "unlocked", None),
]


def all_found(history, work, seed, parts, attacks, jobs):
    """Whether each planted fault of the parts was found; a line for each."""
    plants = [(number, plant) for number, plant in enumerate(PLANTS) if plant[0] in parts]
    fork = multiprocessing.get_context("fork")
    good = True
    print("| part | what | planted | tries | found |\n| --- | --- | --- | --- | --- |")
    with concurrent.futures.ProcessPoolExecutor(max(1, jobs), mp_context=fork) as pool:
        waiting = [pool.submit(attacked, number, history, work, seed, attacks[plant[0]][:2], program.CAMBIUM) for number, plant in plants]
        for (_, (part, line, _, what, _, _)), one in zip(plants, waiting):
            tries, found = one.result()
            good = good and found > 0
            print(f"| {part} | {line} | {what} | {tries} | {found} |", flush=True)
    return good


def attacked(number, history, work, seed, part, real):
    """Tries a line on a program with a planted fault; how many tries, and how many problems they showed."""
    _, line, most, _, lie, script = PLANTS[number]
    folder = f"{work}/planted-{number}"
    os.makedirs(folder)
    program.CAMBIUM, program.PLANTED = real, {}
    if lie:
        program.PLANTED = {"FAULT_BREAK": lie, **({"LD_PRELOAD": program.shim()} if lie == "unlocked" else {})}
    if script:
        program.CAMBIUM = folder + "/cambium"
        with open(program.CAMBIUM, "w") as file:
            file.write(f"#!/bin/sh\nPROGRAM='{real}'\n{script}")
        os.chmod(program.CAMBIUM, 0o755)
    plan = Plan(seed, most, False, line)
    lines, attack = part
    ways = dict(lines(plan, history))
    if line not in ways:
        return 0, 0
    rows = attack(line, ways[line], history, folder, plan)
    shutil.rmtree(folder, ignore_errors=True)
    return sum(row.tries for row in rows), sum(len(row.problems) for row in rows)
