"""Kill the process before its n-th system call that changes the disk, or let that call fail."""
import errno, os
from program import faulty
from report import Row
from steps import steps

ERRORS = [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EINTR, 0]  # 0: half of a write
READ_ERRORS = [errno.EIO, errno.EINTR, errno.ENOMEM]


def numbers(total, plan, source):
    """All numbers of calls, or so many of them, drawn at random, with the first and the last."""
    if plan.only is not None:
        return [plan.only]
    if total <= plan.most:
        return list(range(1, total + 1))
    return sorted({1, total, *source.sample(range(1, total + 1), max(0, plan.most - 2))})


def number_of_calls(step, history, place, mode):
    log = place + ".calls"
    if os.path.exists(log):
        os.remove(log)
    step.prepared(history, place)
    step.apply(history, place, env=faulty(place, mode, 0, log=log))
    return os.path.getsize(log)


def kills(plan, history):
    return [(step.name, step) for step in steps(plan)]


def killed(what, step, history, folder, plan):
    """SIGKILL before each call: the old state or the new one, and the step can be run again."""
    row, place = Row(plan, "kill", what), folder + "/place"
    states = step.states(history, place)
    total = number_of_calls(step, history, place, "count")
    for at in numbers(total, plan, plan.source("kill", what)):
        source = plan.source("kill", what, at)
        step.prepared(history, place)
        outcome = step.apply(history, place, env=faulty(place, "kill", at))
        problems = [] if outcome.code in (-9, 0) else [f"{outcome}"]
        # Only what was killed may have the old state.
        problems += step.faults(history, place, states if outcome.code else states[-1:], source)
        again = step.apply(history, place)
        if again.trapped or again.code == 4:
            problems.append(f"run again: {again}")
        problems += step.faults(history, place, states if again.code else states[-1:], source, 1)
        row.tried(problems, at, f"{what}, call {at} of {total}", outcome.code == -9)
    return [row]


def failures(plan, history):
    return [(f"{step.name}, {what}", (step, mode)) for step in steps(plan)
            for mode, what in (("fail", "a write fails"), ("readfail", "a read fails"))]


def failing(what, chosen, history, folder, plan):
    """A call that fails: an error that says so, no signal, and the old state or the new one."""
    step, mode = chosen
    row, place = Row(plan, "fail", what), folder + "/place"
    states = step.states(history, place)
    total = number_of_calls(step, history, place, "count" if mode == "fail" else mode)
    for at in numbers(total, plan, plan.source(mode, what)):
        source = plan.source(mode, what, at)
        number = source.choice(ERRORS if mode == "fail" else READ_ERRORS)
        step.prepared(history, place)
        outcome = step.apply(history, place, env=faulty(place, mode, at, number))
        problems = [f"{outcome}"] if outcome.trapped else []
        if outcome.code and not outcome.err.strip():
            problems.append(f"exit {outcome.code} without a message")
        problems += step.faults(history, place, states if outcome.code else states[-1:], source, 1)
        row.tried(problems, at, f"{what}, call {at} of {total}, errno {number}", outcome.code != 0)
    return [row]
