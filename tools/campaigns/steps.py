"""A store with some history, the steps that change it, and what must hold whatever happens in the middle."""
import hashlib, os, shutil, struct
from models import Model, patch
from program import HERE, must, run


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
        with open(folder + "/text.txt", "w") as file:
            file.write("A fox is quick and brown, and no dog is. " * 40)
        with open(folder + "/known.txt", "w") as file:
            file.write("What the base knows is another text. " * 20)
        must("branch", "taught", store=self.store)
        must("evidence", "add", "--adapter", "base", "--text", folder + "/known.txt", "--branch", "taught", "-m", "known", store=self.store)
        must(*[word.replace("{f}", folder) for word in trained("fox")], store=self.store)
        taught = must("branch", "--json", store=self.store).json["entries"]
        self.taught = next(entry["id"] for entry in taught if entry["name"] == "taught")
        self.acknowledged[self.taught] = export(self.store, self.taught, folder + "/out")
        self.commit("second", base.changed(seed + 70, experts=0, dense=True), "main")
        must("tag", "v1", store=self.store)
        # For a collection: packs that are dead, and one of whose experts few are needed.
        self.commit("other", Model.made(seed + 71), "orphan")
        self.commit("wide", base.changed(seed + 75, experts=40), "wide")
        self.commit("narrow", base.changed(seed + 75, experts=10), "narrow")
        for name in ("orphan", "wide"):
            must("branch", "--delete", name, store=self.store)
        # Versions that are stored as what changed, and one more to come.
        must("branch", "steps", "main~1", store=self.store)
        model = base
        for number in range(4):
            model = model.stepped(seed + number)
            made = self.commit(f"step {number}", model, "steps")
            if made["storedBytes"] * 2 > made["newBytes"]:
                raise SystemExit(f"campaign: a step is not stored as what changed: {made}")
        model.stepped(seed + 4).write(folder + "/step")
        must("diff", "steps~3", "steps", "--patch", folder + "/changes.safetensors", store=self.store)
        self.changes = sha256(folder + "/changes.safetensors")
        must("backup", folder + "/backup.mdb", store=self.store)
        base.changed(seed + 72, experts=20, dense=True).write(folder + "/next")
        Model.made(seed + 73, filler=40 << 20).write(folder + "/large")
        with open(folder + "/patch.safetensors", "wb") as file:
            file.write(patch(seed + 74))
        for number in OLD_FORMATS:
            unpack(f"{FIXTURES}/format-{number}/data.mdb.runs", f"{folder}/format-{number}")

    def commit(self, message, model, branch):
        folder = model.write(self.folder + "/checkpoint")
        result = must("commit", folder, "-m", message, "--branch", branch, "--json", store=self.store)
        self.acknowledged[result.json["id"]] = model.digest
        return result.json

    def copy(self, target, source=None):
        """Another copy of the store, without its lock files, which a restart forgets anyway."""
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        shutil.copyfile((source or self.store) + "/data.mdb", target + "/data.mdb")
        return target


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def trained(adapter):
    """A command that trains an adapter, the same one each time."""
    return ["train", "--data", "{f}/text.txt", "--adapter", adapter, "--branch", "taught", "--kind", "lora:1",
            "--steps", "1", "--windows", "2", "-m", adapter]


FIXTURES = HERE + "/../../Tests/CompatibilityTests/Fixtures"
OLD_FORMATS = [int(name.split("-")[1]) for name in sorted(os.listdir(FIXTURES))]


def unpack(path, folder):
    """Makes a store of a fixture: runs of bytes, each with its length, and of zeros, whose length follows."""
    with open(path, "rb") as file:
        packed = file.read()
    at, whole = 0, bytearray()
    while at < len(packed):
        length, = struct.unpack_from("<I", packed, at)
        whole += packed[at + 4:at + 4 + length]
        at += 8 + length
        whole += bytes(struct.unpack_from("<I", packed, at - 4)[0])
    os.makedirs(folder)
    with open(folder + "/data.mdb", "wb") as file:
        file.write(whole)


class Step:
    """A command on a store `S` in a folder of its own, `place`, where it may make other things as well.

    `words` may name the history's folder as {f} and the place as {p}. `start` is what the store is before: None, or
    a function of the history that gives the folder to copy. `target` is what the step makes beside the store, and
    `holds` tells what is wrong with that: (history, path) -> [text]. A `timed` commit tells how long it took, so that
    its id is another one each time.
    """

    def __init__(self, name, words, start=lambda history: history.store, target=None, holds=None, timed=False):
        self.name, self.words, self.start, self.target, self.holds, self.timed = name, words, start, target, holds, timed

    @property
    def makes_store(self):
        return self.start is None

    def prepared(self, history, place):
        """The place as it is before the step; the path of the store."""
        shutil.rmtree(place, ignore_errors=True)
        os.makedirs(place)
        if not self.makes_store:
            history.copy(place + "/S", self.start(history))
        return place + "/S"

    def apply(self, history, place, **options):
        words = [word.replace("{f}", history.folder).replace("{p}", place) for word in self.words]
        return run(*words, store=None if self.makes_store else place + "/S", **options)

    def faults(self, history, place, states, source, acknowledged=2):
        """What does not hold in a place where a fault was met, `states` being what the references may be."""
        store, problems = place + "/S", []
        if self.makes_store and not os.path.lexists(store + "/data.mdb"):
            return [] if None in states else ["there is no store"]
        if self.name.startswith("migrate"):
            outcome = run("status", store=store)
            if outcome.code == 1 and "cambium migrate" in outcome.err and None in states:
                outcome = run("migrate", store=store)
                if outcome.code != 0:
                    return [f"{outcome}"]
        if self.target:
            path = f"{place}/{self.target}"
            if os.path.lexists(path):
                problems = self.holds(history, path)
            elif None not in states:
                problems = [f"{self.target} is not there"]
        states = [state for state in states if state is not None]
        return problems + faults_of(store, history, states, source, acknowledged, self.seen)

    def seen(self, found):
        """References as they are compared."""
        if not self.timed or found is None:
            return found
        return [(kind, name, commit if commit in self.known else "new") for kind, name, commit in found]

    def states(self, history, place):
        """References before the step and after it, run without a fault; None stands for what cannot be read."""
        store = self.prepared(history, place)
        before = None if self.makes_store else references(store)
        self.known = {commit for _, _, commit in before or []}
        outcome = self.apply(history, place)
        if outcome.code != 0:
            raise SystemExit(f"campaign: {self.name} fails without any fault: {outcome}")
        after = self.seen(references(store))
        return [before, None, after] if self.target else [before, after]


def whole_backup(history, path):
    store = path
    if path.endswith(".mdb"):
        store = path + ".made"
        shutil.rmtree(store, ignore_errors=True)
        outcome = run("init", store, "--from", path)
        if outcome.code != 0:
            return [f"{outcome}"]
    outcome = run("verify", store=store)
    problems = [] if outcome.code == 0 else [f"the backup: {outcome}"]
    return problems + ([] if references(store) == references(history.store) else ["the backup has other references"])


def set_author(history, path):
    with open(path) as file:
        text = file.read()
    return [] if text == "author = Somebody else\n" else [f"the settings are {text!r}"]


def whole_changes(history, path):
    return [] if sha256(path) == history.changes else ["the patch file has other bytes"]


def whole_export(history, path):
    return [] if sha256(path) == history.acknowledged[history.taught] else ["the exported file has other bytes"]


STEPS = [
    Step("init", ["init", "{p}/S"], start=None),
    Step("init --from", ["init", "{p}/S", "--from", "{f}/backup.mdb"], start=None),
    Step("commit", ["commit", "{f}/next", "-m", "next"]),
    Step("commit --patch", ["commit", "--patch", "{f}/patch.safetensors", "-m", "patch"]),
    Step("commit of a step", ["commit", "{f}/step", "-m", "step", "--branch", "steps"]),
    Step("diff --patch", ["diff", "steps~3", "steps", "--patch", "{p}/changes"], target="changes", holds=whole_changes),
    Step("merge", ["merge", "left", "right", "--into", "main"]),
    Step("branch", ["branch", "new"]),
    Step("branch --delete", ["branch", "--delete", "dead"]),
    Step("tag", ["tag", "v2"]),
    Step("reset", ["reset", "main~1"]),
    Step("revert", ["revert", "main"]),
    Step("commit --amend", ["commit", "--amend", "-m", "said better"]),
    Step("note", ["note", "main", "--metric", "accuracy=0.9"]),
    Step("branch --move", ["branch", "--move", "left", "moved"]),
    Step("config", ["config", "author", "Somebody else"], target="S/config", holds=set_author),
    Step("train", trained("ant"), timed=True),
    Step("forget", ["forget", "fox", "--branch", "taught", "-m", "withdrawn"]),
    Step("forget --from-history", ["forget", "fox", "--from-history", "--prune"]),
    Step("gc --prune", ["gc", "--prune", "--grace", "0"]),
    Step("repack", ["repack"]),
    Step("repack --compress", ["repack", "--compress"]),
    Step("export", ["export", "taught", "{p}/out"], target="out/model.safetensors", holds=whole_export),
    Step("backup", ["backup", "{p}/B"], target="B", holds=whole_backup),
    Step("backup to a file", ["backup", "{p}/B.mdb"], target="B.mdb", holds=whole_backup),
    *[Step(f"migrate format {number}", ["migrate"], lambda history, number=number: f"{history.folder}/format-{number}")
      for number in OLD_FORMATS],
]
LARGE = Step("large commit", ["commit", "{f}/large", "-m", "large", "--branch", "large"])


def steps(plan):
    return STEPS + ([LARGE] if plan.large else [])


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
    return sha256(folder + "/model.safetensors")


def faults_of(store, history, states, source, acknowledged=2, seen=lambda found: found):
    """What does not hold in a store that met a fault.

    It must verify; its references must be one of `states`; some acknowledged commits that references reach
    must export as they were committed.
    """
    outcome = run("verify", store=store)
    if outcome.code != 0:
        return [f"{outcome}"]
    found = references(store)
    if seen(found) not in states:
        return [f"references are neither the old nor the new ones: {found}"]
    kept = [commit for commit in history.acknowledged if any(commit == entry[2] for entry in found)]
    problems = []
    for commit in source.sample(kept, min(acknowledged, len(kept))):
        digest = export(store, commit, store + ".out")
        if digest != history.acknowledged[commit]:
            problems.append(f"commit {commit[:12]} is not what was acknowledged: {digest}")
    return problems
