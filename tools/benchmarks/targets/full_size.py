"""Models of the sizes that people have: committed, opened, run with less memory than they need, changed, merged, exported.

Each is random, of the exact shapes and forms of a published one, and goes before the next is made. With --peers llama.cpp
runs files of the same shapes and forms.
"""
import hashlib, os, shutil, subprocess, time

from harness.bench import LLAMA, Target
from harness.machine import kilobytes
from harness.programs import Failure, evict, memory_group, peak, peer, run as call, script
from harness.report import at_least, at_most
from targets import full_size_make
from targets.models import PROMPT, joined
from targets.storage_small import size as occupied

GIB = 1 << 30
LIMIT = 6 * GIB
GIB_TEXT = f"{LIMIT // GIB} GiB"


def files(folder): return sorted(f"{folder}/{name}" for name in os.listdir(folder))


def digests(folder):
    found = {}
    for path in files(folder):
        with open(path, "rb") as file: found[os.path.basename(path)] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def copying(folder, target):
    """Seconds to copy a folder, hashing what passes."""
    os.makedirs(target)
    begin = time.perf_counter()
    for path in files(folder):
        digest = hashlib.sha256()
        with open(path, "rb", buffering=0) as source, open(f"{target}/{os.path.basename(path)}", "wb", buffering=0) as out:
            while piece := source.read(1 << 22):
                digest.update(piece)
                out.write(piece)
            os.fsync(out.fileno())
    return time.perf_counter() - begin


def watched(words):
    """Seconds of a program, and the most memory of its own that it had."""
    begin = time.perf_counter()
    child = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with peak(child, 0.02) as most: errors = child.communicate()[1]
    if child.returncode: raise Failure(f"{' '.join(map(str, words[:2]))}: {errors.strip()[-500:]}")
    return time.perf_counter() - begin, most[0]


class FullSize:
    def __init__(self, bench, name):
        self.bench, self.name, self.side = bench, name, bench.sides[0]
        self.folder, self.store = f"{bench.args.dir}/{name}", f"{bench.args.dir}/{name}-store"
        self.bytes = full_size_make.make(self.folder, name, bench.quick)

    def note(self, what, value, unit, **more): self.bench.note(self.name, what, value, unit, **more)

    def cambium(self, *words): return watched([self.side.path("cambium"), *words, "--store", self.store, "--quiet"])

    def commit(self):
        self.bench.say(f"{self.name}: copying, then committing {self.bytes / 1e9:.1f} GB")
        self.note("bytes", self.bytes, "bytes")
        evict(*files(self.folder))
        copied = copying(self.folder, f"{self.folder}-copy")
        shutil.rmtree(f"{self.folder}-copy")
        self.side.cambium("init", self.store)
        evict(*files(self.folder))
        seconds, most = self.cambium("commit", self.folder, "-m", self.name)
        self.note("committed, bytes a second", self.bytes / seconds, "bytes/s", goal=at_least(0.7),
                  against=("copied with a SHA-256", self.bytes / copied))
        self.note("commit: its own memory at most", most, "bytes", goal=at_most(GIB, "≤ 1 GiB", "value"))

    def run(self):
        """With 6 GiB for the process; the page cache is empty at first, and may then hold what it will."""
        self.bench.say(f"{self.name}: opening, then running with {GIB_TEXT}")
        # All of it mapped: what is read comes with the first tokens. With a limit what every token needs is copied.
        with self.serve() as one:
            self.note("opened", one.ready["load_seconds"], "s", goal=at_most(0.05, "≤ 50 ms", "value"))
        evict(f"{self.store}/data.mdb")
        with self.serve(LIMIT) as one:
            self.note(f"opened with {GIB_TEXT}, nothing in the page cache", one.ready["load_seconds"], "s")
            evict(f"{self.store}/data.mdb")
            before = read_bytes(one.child.pid)
            first = one.ask("decode", joined(PROMPT), 1, 2)
            self.note("16 tokens of prompt, nothing in the page cache", first["prefill_seconds"], "s")
            self.note("16 tokens of prompt: read", read_bytes(one.child.pid) - before, "bytes")
            self.decode(one, "")
            self.note("its own memory", kilobytes(f"/proc/{one.child.pid}/status", "RssAnon"), "bytes")

    def serve(self, limit=None, before=()):
        return self.side.start("models-benchmark", "serve", "--store", self.store, "--revision", "main",
                               *(("--limit", limit) if limit else ()), before=before)

    def decode(self, one, where, by=None, against=None):
        """Tokens behind another prompt, once to fill what memory there is, and once to be counted; tokens a second."""
        count, threads = self.bench.args.count or 48, () if by else (2,)
        for prompt in (PROMPT[::-1], PROMPT[1:]):
            before = read_bytes(one.child.pid)
            answer = one.ask("decode", joined(prompt), count, *threads)
        more = {"by": by} if by else {}
        self.note(f"decode with {GIB_TEXT}{where}", answer["tokens_per_s"], "tokens/s", against=against, **more)
        self.note(f"decode with {GIB_TEXT}{where}: read for a token",
                  (read_bytes(one.child.pid) - before) / (count + len(prompt)), "bytes", **more)
        if not by: self.note(f"decode with {GIB_TEXT}{where}: picks that were there", answer["hit_rate"], "share")
        return answer["tokens_per_s"]

    def beside(self):
        """llama.cpp, which maps its file, and Cambium, each with 6 GiB for all it has and the pages of the file too."""
        if not self.bench.has_peers: return
        path, where = f"{self.bench.args.dir}/{self.name}.gguf", ", the pages of its file with them"
        call(*script("llama_full_size.py", self.name, path, *(["quick"] if self.bench.quick else [])))
        try:
            evict(path)
            with memory_group(LIMIT) as before, peer("llama.cpp", "llama_models.py", "serve", path, 2, 1, "mapped", before=before) as one:
                theirs = self.decode(one, where, by="llama.cpp")
        finally: os.remove(path)
        evict(f"{self.store}/data.mdb")
        # What the process may have is less than what the group has, which also pays for what is read.
        with memory_group(LIMIT) as before, self.serve(LIMIT - (GIB >> 1), before) as one:
            self.decode(one, where, against=("llama.cpp", theirs))

    def change(self):
        self.bench.say(f"{self.name}: one expert of a branch")
        path = f"{self.bench.args.dir}/patch.safetensors"
        for branch, expert in (("other", 5), ("third", 6)):
            before = occupied(self.store)
            self.side.cambium("branch", branch, "main", "--store", self.store)
            size = full_size_make.patch(path, self.name, expert, self.bench.quick)
            seconds, _ = self.cambium("commit", "--patch", path, "-m", "an expert", "--branch", branch)
        self.note("one expert", size, "bytes")
        self.note("committed an expert", seconds, "s")
        self.note("committed an expert: the store grew by", occupied(self.store) - before, "bytes")
        self.note("diff", self.cambium("diff", "other", "third")[0], "s")
        self.note("merge", self.cambium("merge", "other", "--into", "third", "-m", "merged")[0], "s")

    def export(self):
        self.bench.say(f"{self.name}: exporting, collecting")
        target = f"{self.bench.args.dir}/exported"
        wanted = digests(self.folder)
        # The store has the bytes: what came is not needed on the disk any more.
        shutil.rmtree(self.folder)
        seconds, most = self.cambium("export", "main", target)
        self.note("exported, bytes a second", self.bytes / seconds, "bytes/s")
        self.note("export: its own memory at most", most, "bytes")
        if digests(target) != wanted: raise Failure(f"{self.name}: the export has other bytes")
        shutil.rmtree(target)
        self.side.cambium("branch", "--delete", "other", "third", "--store", self.store)
        self.note("collected two experts", self.cambium("gc", "--prune", "--grace", "0")[0], "s")

    def close(self):
        for path in (self.folder, self.store): shutil.rmtree(path, ignore_errors=True)


def read_bytes(pid):
    with open(f"/proc/{pid}/io") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("read_bytes"))


def run(bench):
    for name in bench.cases:
        model = bench.attempt(f"{name}: making it", FullSize, bench, name)
        if not model: continue
        try:
            for step in (model.commit, model.run): step()
            bench.attempt(f"{name}: beside llama.cpp", model.beside)
            for step in (model.change, model.export): step()
        except Failure as failure: bench.fail(failure)
        finally: model.close()


TARGET = Target(
    "full-size", "Models of 13 to 17 GB, as published: commit, open, run with 6 GiB, change, merge, export. 60 GB of disk.",
    run, ("cambium", "models-benchmark"), cases=tuple(full_size_make.MODELS), peers=LLAMA,
    options={"count": {"type": int, "help": "tokens of the text (32)"}}, quick="two layers of each, nothing judged",
    disk=lambda bench: 12e9 if bench.quick else 60e9)
