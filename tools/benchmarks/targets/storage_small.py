"""Three versions of a small model, beside copies of the files with fsync and git-LFS where it is installed.

Every method gives its files back, and they are compared byte for byte.
"""
import filecmp, json, os, shutil, time

from harness.bench import CHECKPOINTS, Target
from harness.programs import Failure, folder, run as call

BASE, BRANCHES = "base", ("branch-swahili", "branch-metamath")
FILES = ("model.safetensors", "config.json")


def size(path):
    """Bytes that the files occupy on disk, links not followed."""
    return sum(os.lstat(os.path.join(folder, name)).st_blocks * 512 for folder, _, names in os.walk(path) for name in names)


def copy(source, target, synced=False):
    os.makedirs(target, exist_ok=True)
    for name in FILES:
        shutil.copyfile(f"{source}/{name}", f"{target}/{name}")
        if synced:
            with open(f"{target}/{name}", "rb+") as file: os.fsync(file.fileno())


class Cambium:
    def __init__(self, side, work):
        self.name, self.side, self.store, self.reused = side.name, side, f"{work}/S", {}
        side.cambium("init", self.store)

    def commit(self, source, version):
        words = ["commit", source, "-m", version, "--store", self.store, "--json"]
        result = json.loads(self.side.cambium(*words, *([] if version == BASE else ["--branch", version])))
        self.reused[version] = 1 - result["newExperts"] / result["experts"]

    def restore(self, version, out):
        self.side.cambium("export", "main" if version == BASE else version, out, "--store", self.store)


class Copies:
    name, reused = "copies + fsync", {}

    def __init__(self, work): self.work = work

    def commit(self, source, version): copy(source, f"{self.work}/{version}", synced=True)

    def restore(self, version, out): copy(f"{self.work}/{version}", out)


class GitLFS:
    name, reused = "git-LFS", {}

    def __init__(self, work):
        self.work = work
        for words in ("init -q -b main", "config user.name bench", "config user.email bench@localhost",
                      "lfs install --local", "lfs track *.safetensors", "add .gitattributes", "commit -qm track"):
            self.git(*words.split())

    def git(self, *words): call("git", *words, cwd=self.work)

    def commit(self, source, version):
        if version != BASE: self.git("checkout", "-q", "-b", version, "main")
        copy(source, self.work)
        self.git("add", "-A")
        self.git("commit", "-qm", version)

    def restore(self, version, out):
        self.git("checkout", "-q", "main" if version == BASE else version)
        copy(self.work, out)


def measure(bench, make):
    checkpoints, seconds, added = bench.args.checkpoints, {}, {}
    for _ in range(bench.args.rounds):
        with folder(bench.args.dir, "work") as work, folder(bench.args.dir, "out") as out:
            method, before = make(work), size(work)
            for version in (BASE, *BRANCHES):
                begin = time.perf_counter()
                method.commit(f"{checkpoints}/{version}", version)
                seconds.setdefault(version, []).append(time.perf_counter() - begin)
                added[version], before = size(work) - before, size(work)
            for version in (BASE, *BRANCHES):
                method.restore(version, f"{out}/{version}")
                for name in FILES:
                    if not filecmp.cmp(f"{out}/{version}/{name}", f"{checkpoints}/{version}/{name}", False):
                        raise Failure(f"{method.name} does not give back {version}/{name}")
    return method.name, seconds, added, method.reused


def run(bench):
    methods = [*(lambda work, side=side: Cambium(side, work) for side in bench.sides), Copies]
    if shutil.which("git-lfs"): methods.append(GitLFS)
    else: bench.remarks.append("git-LFS is not installed, so it is not measured (Debian: git-lfs)")
    weight, first = os.path.getsize(f"{bench.args.checkpoints}/{BASE}/model.safetensors"), None
    for make in methods:
        name, seconds, added, reused = measure(bench, make)
        first = first or seconds
        for version in seconds:
            bench.note(version, "time", seconds[version], "s", by=name,
                       against=bench.median("cambium", first[version]) if name != "cambium" else None)
            bench.note(version, "bytes added", added[version], "bytes", by=name, against=("the file", weight))
            bench.note(version, "experts reused", reused.get(version), "share", by=name)


TARGET = Target(
    "storage-small", "Three versions of a small model: seconds, bytes on disk and experts reused, beside plain copies.",
    run, ("cambium",), compares=True,
    options={"checkpoints": CHECKPOINTS, "rounds": {"type": int, "default": 5, "help": "a fresh store in each"}})
