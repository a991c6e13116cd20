"""Fails when a run of the tests skipped one that should have run.

    python3 tools/checks/skipped.py LOG

What is asked for by an environment variable may be skipped, and comparisons with trained checkpoints where there are
none beside the repository. Anything else lacks something that the machine has to have: Python's safetensors, leave to
mount, a terminal.
"""
import os, re, sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
has_trained = os.path.exists(os.path.join(root, "../shared/checkpoints"))
wrong = []
with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
    for line in log:
        match = re.match(r"\S+ (?:Test|Suite) (.*) skipped(?:: \"(.*)\")?", line)
        if not match:
            continue
        name, reason = match.groups()
        reason = reason or "no reason given"
        if reason.startswith("asked for by ") or (reason == "without trained checkpoints" and not has_trained):
            continue
        wrong.append(f"skipped: {name}: {reason}")
print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
sys.exit(1 if wrong else 0)
