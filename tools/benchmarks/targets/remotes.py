"""Pushes and clones on SeaweedFS and in a folder, beside rclone, the AWS command line, restic and icechunk.

A model of random BF16 experts is pushed whole, then after rounds that changed 1 % of its experts, 1 % of its elements, or
one expert; then it is cloned, whole and lazily. Every clone is exported and compared with what was committed. Peers
copy the safetensors file (rclone, aws), back it up (restic), or keep its experts as chunks (icechunk). Bytes are what
the place has more afterwards (icechunk has the experts alone); requests are what Cambium counts.
"""
import contextlib, filecmp, json, os, shutil, subprocess, sys, time

from harness.bench import Peers, Target
from harness.programs import ROOT, Failure, folder, peer, run as call
from harness.report import at_most

BUCKET = "cambium"  # as tools/remotes/start makes it
KEYS = {"AWS_ACCESS_KEY_ID": "cambium", "AWS_SECRET_ACCESS_KEY": "cambium-secret", "AWS_DEFAULT_REGION": "us-east-1",
        "RESTIC_PASSWORD": "bench", "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
BIN = os.path.dirname(sys.executable)


class Folder:
    """Remotes in a folder of the disk under test."""
    name = "file"

    def __init__(self, path): self.path = path

    def cambium(self, name): return [f"file://{self.path}/{name}"]

    def address(self, name): return f"{self.path}/{name}"

    restic = rclone = address

    def size(self, name):
        return sum(os.lstat(os.path.join(top, file)).st_size for top, _, files in os.walk(f"{self.path}/{name}") for file in files)


class Bucket:
    """Remotes in a bucket of SeaweedFS on loopback."""
    name = "s3"

    def __init__(self, endpoint):
        self.endpoint = endpoint
        os.environ.update({"RCLONE_CONFIG_B_TYPE": "s3", "RCLONE_CONFIG_B_PROVIDER": "SeaweedFS",
                           "RCLONE_CONFIG_B_ENDPOINT": endpoint, "RCLONE_CONFIG_B_ENV_AUTH": "true",
                           "RCLONE_CONFIG_B_NO_CHECK_BUCKET": "true", "AWS_ENDPOINT_URL": endpoint})

    def cambium(self, name): return [f"s3://{BUCKET}/{name}", "--endpoint", self.endpoint]

    def address(self, name): return f"{self.endpoint}/{BUCKET}/{name}"

    def restic(self, name): return f"s3:{self.address(name)}"

    def rclone(self, name): return f"B:{BUCKET}/{name}"

    def size(self, name):
        return json.loads(call(f"{BIN}/rclone", "size", "--json", self.rclone(name)))["bytes"]


@contextlib.contextmanager
def seaweedfs(path):
    """A server that runs as long as the block, and keeps what it has on the disk under test."""
    server = subprocess.Popen([f"{ROOT}/tools/remotes/start", "seaweedfs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "TMPDIR": path})
    try:
        line = server.stdout.readline()
        if not line: raise Failure("SeaweedFS does not start")
        yield line.strip().split("=", 1)[1]
    finally:
        server.stdin.close()
        server.wait()


def timed(action, *words):
    begin = time.perf_counter()
    answer = action(*words)
    return time.perf_counter() - begin, answer


class Remotes:
    def __init__(self, bench, place, model, work):
        self.bench, self.place, self.model, self.work, self.side = bench, place, model, work, bench.sides[0]
        self.store, self.current = f"{work}/store", f"{work}/model"
        # Experts only, all of one size: what a round changes, and what icechunk keeps.
        self.experts = [(first, count) for name, first, count in model.groups() if ".experts." in name]
        self.rounds = 2 if bench.quick else 5

    def note(self, *words, **more): self.bench.note(self.place.name, *words, **more)

    def cambium(self, *words):
        return json.loads(call(self.side.path("cambium"), *words, "--json"))

    def change(self, seed, what):
        """Changes the model; the bytes of what is new."""
        import numpy as np
        from targets.steps_cases import values
        random, elements = np.random.default_rng(seed), self.model.elements
        if what == "step":
            index = np.unique(random.integers(0, len(elements), len(elements) // 100, np.uint32))
            elements[index] += np.uint16(1)
            self.rows = []
            return None
        count = max(1, len(self.experts) // 100) if what == "round" else 1
        self.rows = sorted(random.choice(len(self.experts), count, replace=False).tolist())
        for row in self.rows:
            first, size = self.experts[row]
            elements[first:first + size] = values(random, size)
        return sum(2 * self.experts[row][1] for row in self.rows)

    def save(self):
        self.model.write(self.current)
        with open(f"{self.work}/experts", "wb") as file:
            for first, count in self.experts: self.model.elements[first:first + count].tofile(file)

    def commit(self, message): self.side.cambium("commit", self.current, "-m", message, "-C", self.store, "-q")

    def push(self, what, new):
        spent, answer = timed(self.cambium, "push", "-C", self.store)
        found = answer["transfer"]
        self.seconds.setdefault(what, []).append(spent)
        self.sent.setdefault(what, []).append(found["sent"])
        self.requests.setdefault(what, []).append(found["requests"])
        if new: self.new[what] = new
        return spent

    def beside(self, what):
        """What peers need for what was just pushed."""
        self.version = what
        for name, action in self.peers.items():
            # A copy costs the same whatever changed.
            if name in ("rclone", "aws") and what in ("step", "one"): continue
            before = self.place.size(name)
            spent, _ = timed(action)
            self.others.setdefault((name, what), []).append((spent, self.place.size(name) - before))

    def start_peers(self, stack):
        self.peers = {}
        if not self.bench.has_peers: return
        place = self.place
        # A copy of each version, since they keep no other history.
        self.peers["rclone"] = lambda: call(f"{BIN}/rclone", "copy", self.current, place.rclone(f"rclone/{self.version}"),
                                            "--s3-chunk-size=64M")
        if place.name == "s3":
            self.peers["aws"] = lambda: call(f"{BIN}/aws", "s3", "sync", "--only-show-errors", self.current,
                                             f"s3://{BUCKET}/aws/{self.version}")
        if shutil.which("restic"):
            call("restic", "-q", "init", "-r", place.restic("restic"))
            self.peers["restic"] = lambda: call("restic", "-q", "backup", "-r", place.restic("restic"), self.current)
        else: self.bench.remarks.append("restic is not measured: there is no such program (Debian: restic)")
        size = 2 * self.experts[0][1]
        ice = stack.enter_context(peer("icechunk", "icechunk_store.py", place.address("icechunk"), len(self.experts), size))

        def experts():
            rows = ",".join(map(str, self.rows))
            # A step changes every expert.
            ice.ask(*(("change", f"{self.work}/experts", rows) if rows else ("write", f"{self.work}/experts")))

        self.peers["icechunk"] = experts

    def run(self):
        self.seconds, self.sent, self.requests, self.new, self.others, self.rows = {}, {}, {}, {}, {}, []
        with contextlib.ExitStack() as stack:
            self.start_peers(stack)
            self.save()
            self.side.cambium("init", self.store)
            self.commit("all")
            self.cambium("remote", "add", "origin", *self.place.cambium("cambium"), "-C", self.store)
            self.push("all", self.model.bytes)
            self.beside("all")
            for what in ("round", "step", "one"):
                for number in range(self.rounds):
                    new = self.change(hash_of(what) + number, what)
                    self.save()
                    self.commit(f"{what} {number}")
                    self.push(what, new)
                    if number == 0: self.beside(what)
            self.clones()
        self.report()

    def clones(self):
        for kind, options in (("clone", []), ("lazy clone", ["--lazy"])):
            path = f"{self.work}/{kind.replace(' ', '-')}"
            url, *access = self.place.cambium("cambium")
            spent, answer = timed(self.cambium, "clone", url, path, "--branch", "main", *access, *options)
            found = answer["fetch"]["transfer"]
            self.note(f"{kind}, time", spent, "s")
            self.note(f"{kind}, bytes", found["received"], "bytes", against=("model", self.model.bytes))
            self.note(f"{kind}, requests", found["requests"], "count")
            self.side.cambium("export", "main", f"{path}-out", "-C", path, "-q")
            if not filecmp.cmp(f"{path}-out/model.safetensors", f"{self.current}/model.safetensors", shallow=False):
                raise Failure(f"{self.place.name}: the {kind} has another model")
            for one in (path, f"{path}-out"): shutil.rmtree(one)
        if "rclone" in self.peers:
            spent, _ = timed(call, f"{BIN}/rclone", "copy", self.place.rclone("rclone/all"), f"{self.work}/back")
            self.note("clone, time", spent, "s", by="rclone")
            shutil.rmtree(f"{self.work}/back")

    def report(self):
        names = {"all": "push of all", "round": "push of 1 % of experts", "step": "push of a step of 1 %", "one": "push of one expert"}
        for what, title in names.items():
            rclone = self.others.get(("rclone", what))
            goal = at_most(1.25, "≤ 1.25 × rclone") if what == "all" else None
            self.note(f"{title}, time", self.seconds[what], "s", goal=goal if rclone else None,
                      against=("rclone", rclone[0][0]) if rclone else None)
            new = self.new.get(what)
            self.note(f"{title}, bytes", self.sent[what], "bytes", against=("new", new) if new else None,
                      goal=at_most(1.05) if what in ("all", "round") else None)
            self.note(f"{title}, requests", self.requests[what], "count",
                      goal=None if what == "all" else at_most(12, "≤ 12", "value"))
            for name in self.peers:
                for spent, added in self.others.get((name, what), []):
                    self.note(f"{title}, time", spent, "s", by=name)
                    self.note(f"{title}, bytes", added, "bytes", by=name, against=("new", new) if new else None)


def hash_of(what): return {"round": 100, "step": 200, "one": 300}[what]


def run(bench):
    from targets.steps_cases import synthetic
    os.environ.update(KEYS)
    os.environ.pop("AWS_PROFILE", None)
    size = (32 << 20) if bench.quick else 1 << 30
    with seaweedfs(bench.args.dir) as endpoint:
        for place in bench.cases:
            with folder(bench.args.dir, place) as work:
                where = Bucket(endpoint) if place == "s3" else Folder(f"{work}/remotes")
                if place == "file": os.mkdir(where.path)
                bench.attempt(f"remotes on {place}", Remotes(bench, where, synthetic(size, 1).model, work).run)


TARGET = Target(
    "remotes", "Pushes and clones on SeaweedFS and in a folder, beside rclone, aws, restic and icechunk.", run, ("cambium",),
    cases=("s3", "file"), peers=Peers("numpy, rclone, aws and icechunk", "numpy", "requirements-remotes.txt", "bench-python-remotes", needed=True),
    disk=lambda bench: 0 if bench.quick else 20 << 30, quick="a model of 32 MB, nothing judged but the answers")
