"""Stores to report on, made by the program."""
import json, os, subprocess

program = os.environ["CAMBIUM"]
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sample = os.path.join(root, "tools", "sample")
# A subject, a branch and a metric as an enemy would call them.
hostile = "<script>document.title='taken'</script> \"'&\u202e\x1b[31m"


def cambium(store, *words, **options):
    """Runs the program on a store, and gives what it says."""
    environment = dict(os.environ, CAMBIUM_STORE=store, CAMBIUM_AUTHOR="Ada", LANG="C.UTF-8")
    run = subprocess.run([program, *words], env=environment, capture_output=True, text=True, **options)
    if run.returncode:
        raise SystemExit(f"cambium {' '.join(words)}: {run.stderr}")
    return run.stdout


def figure(store, name, *revisions):
    """A figure as JSON."""
    return json.loads(cambium(store, "report", *revisions, "--figure", name, "--json"))["data"]


def trained(folder):
    """Branches that learn, merge, and are evaluated; hostile words in a commit, a note and a branch."""
    store = os.path.join(folder, "S")
    cambium(store, "init", store)
    texts = os.path.join(sample, "text")

    def train(*words):
        cambium(store, "train", "--steps", "6", "--windows", "2", *words)

    train("--init", os.path.join(sample, "config.json"), "--data", f"{texts}/gsm8k", "-m", "base: maths")
    for name in ("swahili", "metamath"):
        cambium(store, "branch", name)
        train("--data", f"{texts}/{name}", "--branch", name, "-m", f"round 1: {name}")
    cambium(store, "merge", "swahili", "metamath", "--into", "main")
    for name in ("left", "right"):
        cambium(store, "branch", name, "main")
        train("--edit-experts", "4", "--data", f"{texts}/shakespeare", "--branch", name, "--seed",
              "1" if name == "left" else "2", "-m", f"edit: {name} {hostile if name == 'right' else ''}")
    cambium(store, "merge", "left", "right", "--into", "main", "--policy", "mean")
    files = [f"{texts}/{name}/test.txt" for name in ("gsm8k", "swahili", "metamath")]
    cambium(store, "eval", "main~2", "swahili", "metamath", "main~1", "main", "--text", *files, "--limit", "2000", "--record")
    cambium(store, "profile", "main", "--text", files[0])
    cambium(store, "note", "main", "--metric", f"{hostile}.bpb=2.5")
    # Evaluations that failed.
    cambium(store, "note", "left", "--metric", "gsm8k.bpb=inf", "--metric", "swahili.bpb=nan")
    cambium(store, "branch", "b<i>x", "main")
    return store


def large(folder, commits=10_000, branches=1_000):
    """A store with a long history."""
    path = os.path.join(folder, "large")
    subprocess.run(
        [os.environ["CAMBIUM_STORAGE_BENCHMARK"], "history", "--dir", path, "--experts", "4", "--size", "64",
         "--commits", str(commits), "--branches", str(branches), "--rounds", "1", "--keep"], check=True, stdout=subprocess.DEVNULL)
    return os.path.join(path, "store")
