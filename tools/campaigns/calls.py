"""Kill the process before its n-th system call that changes the disk, or let that call fail."""
import errno, os, random, shutil
from program import faulty, run
from report import Row
from steps import LARGE, STEPS, apply, faults_of, prepared, states_of

ERRORS = [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EINTR, 0]  # 0: half of a write


def places(total, most, source):
    """All numbers of calls, or so many of them, drawn at random, with the first and the last."""
    if total <= most:
        return list(range(1, total + 1))
    return sorted({1, total, *source.sample(range(1, total + 1), most - 2)})


def number_of_calls(step, history, store, mode):
    log = store + ".calls"
    if os.path.exists(log):
        os.remove(log)
    prepared(step, history, store)
    apply(step, history, store, env=faulty(store, mode, 0, log=log))
    return os.path.getsize(log)


def killed(history, folder, most, seed, large):
    """SIGKILL before each call: the old state or the new one, and the step can be run again."""
    rows = []
    for step in STEPS + ([LARGE] if large else []):
        source, row = random.Random(f"{seed} kill {step[0]}"), Row("kill", f"{step[0]}, before a call")
        states = states_of(step, history, folder)
        store = folder + "/S"
        total = number_of_calls(step, history, store, "count")
        for at in places(total, most, source):
            prepared(step, history, store)
            outcome = apply(step, history, store, env=faulty(store, "kill", at))
            problems = []
            if outcome.code not in (-9, 0):
                problems.append(f"{outcome}")
            if step[0] != "init" or os.path.exists(store + "/data.mdb"):
                problems += faults_of(store, history, states, source)
            again = apply(step, history, store)
            if again.trapped or (again.code == 4):
                problems.append(f"run again: {again}")
            problems += faults_of(store, history, states[1:] + states[:again.code != 0], source, 1)
            row.tried(problems, f"{step[0]}, call {at} of {total}", outcome.code == -9)
        rows.append(row)
    return rows


def failing(history, folder, most, seed, large):
    """A call that fails: an error that says so, no signal, and the old state or the new one."""
    rows = []
    for step in STEPS + ([LARGE] if large else []):
        for mode, what in (("fail", "a write fails"), ("readfail", "a read fails")):
            source = random.Random(f"{seed} {mode} {step[0]}")
            row = Row("fail", f"{step[0]}, {what}")
            states = states_of(step, history, folder)
            store = folder + "/S"
            total = number_of_calls(step, history, store, "count" if mode == "fail" else "readfail")
            for at in places(total, most, source):
                number = source.choice(ERRORS if mode == "fail" else [errno.EIO, errno.EINTR, errno.ENOMEM])
                prepared(step, history, store)
                outcome = apply(step, history, store, env=faulty(store, mode, at, number))
                problems = [f"{outcome}"] if outcome.trapped else []
                if outcome.code and not outcome.err.strip():
                    problems.append(f"exit {outcome.code} without a message")
                if step[0] != "init" or os.path.exists(store + "/data.mdb"):
                    problems += faults_of(store, history, states, source, 1)
                row.tried(problems, f"{step[0]}, call {at} of {total}, errno {number}", outcome.code != 0)
            rows.append(row)
    return rows
