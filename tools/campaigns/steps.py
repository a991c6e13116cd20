"""A store with some history, the steps that change it, and what must hold whatever happens in the middle."""
import hashlib, os, random, shutil
from models import Model, patch
from program import must, run


class History:
    """A store `S` in a folder, and the digests of what was acknowledged: {commit: SHA-256 of its export}."""

    def __init__(self, folder, seed):
        self.folder, self.store, self.acknowledged = folder, folder + "/S", {}
        os.makedirs(folder)
        base = Model.made(seed)
        must("init", self.store)
        self.commit("base", base, "main")
        for name, layer in (("left", 0), ("right", 1), ("dead", 0)):
            must("branch", name, store=self.store)
            self.commit(name, base.changed(seed + len(name) + layer, layer=layer), name)
        self.commit("second", base.changed(seed + 70, experts=0, dense=True), "main")
        must("tag", "v1", store=self.store)
        # For a collection: packs that are dead, and one of whose experts few are needed.
        self.commit("other", Model.made(seed + 71), "orphan")
        self.commit("wide", base.changed(seed + 75, experts=40), "wide")
        self.commit("narrow", base.changed(seed + 75, experts=10), "narrow")
        for name in ("orphan", "wide"):
            must("branch", "--delete", name, store=self.store)
        self.next = base.changed(seed + 72, experts=20, dense=True).write(folder + "/next")
        self.large = Model.made(seed + 73, filler=40 << 20)
        with open(folder + "/patch.safetensors", "wb") as file:
            file.write(patch(seed + 74))

    def commit(self, message, model, branch):
        folder = model.write(self.folder + "/checkpoint")
        result = must("commit", folder, "-m", message, "--branch", branch, "--json", store=self.store)
        self.acknowledged[result.json["id"]] = model.digest

    def copy(self, target):
        """Another copy of the store, without its lock files, which a restart forgets anyway."""
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        shutil.copyfile(self.store + "/data.mdb", target + "/data.mdb")
        return target


# Name, words of the command; {f} stands for the history's folder.
STEPS = [
    ("init", ["init"]),
    ("commit", ["commit", "{f}/next", "-m", "next"]),
    ("commit --patch", ["commit", "--patch", "{f}/patch.safetensors", "-m", "patch"]),
    ("merge", ["merge", "left", "right", "--into", "main"]),
    ("branch", ["branch", "new"]),
    ("branch --delete", ["branch", "--delete", "dead"]),
    ("tag", ["tag", "v2"]),
    ("reset", ["reset", "main~1"]),
    ("revert", ["revert", "main"]),
    ("commit --amend", ["commit", "--amend", "-m", "said better"]),
    ("note", ["note", "main", "--metric", "accuracy=0.9"]),
    ("branch --move", ["branch", "--move", "left", "moved"]),
    ("gc --prune", ["gc", "--prune", "--grace", "0"]),
    ("repack", ["repack"]),
    ("repack --compress", ["repack", "--compress"]),
]
LARGE = ("large commit", ["commit", "{f}/large", "-m", "large", "--branch", "large"])


def words(step, history):
    return [word.replace("{f}", history.folder) for word in step[1]]


def prepared(step, history, target):
    """A store as it is before the step."""
    if step[0] == "init":
        shutil.rmtree(target, ignore_errors=True)
        return target
    if step is LARGE and not os.path.isdir(history.folder + "/large"):
        history.large.write(history.folder + "/large")
    return history.copy(target)


def apply(step, history, store, **options):
    if step[0] == "init":
        return run("init", store, **options)
    return run(*words(step, history), store=store, **options)


def references(store):
    """Branches and tags with their commits; None when the store cannot be read."""
    found = []
    for kind in ("branch", "tag"):
        outcome = run(kind, "--json", store=store)
        if outcome.code != 0:
            return None
        found += [(kind, entry["name"], entry["id"]) for entry in outcome.json["entries"]]
    return sorted(found)


def export(store, commit, folder):
    """The digest of an export, or the outcome that is none."""
    shutil.rmtree(folder, ignore_errors=True)
    outcome = run("export", commit, folder, "-q", store=store)
    if outcome.code != 0:
        return outcome
    with open(folder + "/model.safetensors", "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def faults_of(store, history, states, source, acknowledged=2):
    """What does not hold in a store that met a fault.

    It must verify; its references must be one of `states`; some acknowledged commits that references reach
    must export as they were committed.
    """
    outcome = run("verify", store=store)
    if outcome.code != 0:
        return [f"{outcome}"]
    found = references(store)
    if found not in states:
        return [f"references are neither the old nor the new ones: {found}"]
    kept = [commit for commit in history.acknowledged if any(commit == entry[2] for entry in found)]
    problems = []
    for commit in source.sample(kept, min(acknowledged, len(kept))):
        digest = export(store, commit, store + ".out")
        if digest != history.acknowledged[commit]:
            problems.append(f"commit {commit[:12]} is not what was acknowledged: {digest}")
    return problems


def states_of(step, history, folder):
    """References before the step and after it, run without a fault."""
    store = prepared(step, history, folder + "/clean")
    before = [] if step[0] == "init" else references(store)
    outcome = apply(step, history, store)
    if outcome.code != 0:
        raise SystemExit(f"campaign: {step[0]} fails without any fault: {outcome}")
    return [before, references(store)]
