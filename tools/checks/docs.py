"""Checks README.md and docs/: every relative link and every path in backticks exists."""
import os, re, subprocess, sys

files = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                       check=True, capture_output=True, text=True).stdout.split()
required = ["README.md", "docs/architecture.md", "docs/format.md", "docs/testing.md",
            "docs/benchmarks.md", "docs/shortcomings.md", "LICENSE", "CONTRIBUTING.md",
            "CHANGELOG.md", "SECURITY.md"]
faults = [f"{path} is missing" for path in required if not os.path.exists(path)]
for path in files:
    text = open(path, encoding="utf-8").read()
    folder = os.path.dirname(path)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target) and not os.path.exists(os.path.join(folder, target)):
            faults.append(f"{path}: link to {target}")
    for target in re.findall(r"`((?:Sources|Tests|tools|docs|migrations)/[\w./+-]+)`", text):
        if not os.path.exists(target):
            faults.append(f"{path}: names {target}")
print("\n".join(faults), file=sys.stderr, end="\n" if faults else "")
sys.exit(1 if faults else 0)
