"""Steps of training committed one by one, beside what trainers publish them with.

Of each step the whole checkpoint is committed. Steps 1, the middle one and the last are exported and compared byte for
byte, and every peer has to give the same elements back.
"""
import concurrent.futures, filecmp, hashlib, importlib.util, json, math, os, shutil, statistics, sys, time

from harness import plots
from harness.bench import SCRATCH, STREAM, Peers, Target
from harness.programs import PEERS, Failure, folder, run as call, script
from harness.report import at_most
from targets.storage_small import size as occupied

MIB, PIECE = 1 << 20, 1 << 20
RATES, TEXTS = ("1e-6", "1e-5", "1e-4"), ("shakespeare", "gsm8k", "wikitext")
WHOLE, SPARSE, FLOOR = "whole safetensors", "sparse safetensors", "read + SHA-256"


def timed(action, *words):
    begin = time.perf_counter()
    answer = action(*words)
    return time.perf_counter() - begin, answer


def pieces(path, first, stride, work):
    """Reads every stride-th piece of a file."""
    buffer = bytearray(PIECE)
    with open(path, "rb", buffering=0) as file:
        while count := os.preadv(file.fileno(), [buffer], first * PIECE):
            work(memoryview(buffer)[:count])
            first += stride


def spread(path, work):
    """Seconds to read a file on all cores and to do something with each piece of 1 MiB."""
    cores = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        return timed(lambda: list(pool.map(lambda core: pieces(path, core, cores, work), range(cores))))[0]


def hashing(path): return spread(path, lambda piece: hashlib.sha256(piece).digest())


def reading(path): return timed(pieces, path, 0, 1, lambda piece: None)[0]


def tensors(path):
    """Of each tensor of a file: where it begins, its elements, and the bytes of one."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    found = {}
    for name, entry in header.items():
        if name == "__metadata__": continue
        (first, end), count = entry["data_offsets"], math.prod(entry["shape"])
        found[name] = 8 + size + first, count, (end - first) // max(count, 1)
    return found


class Steps:
    """One case: every step by every method, in turns."""

    def __init__(self, bench, case, stores, work):
        self.bench, self.case, self.model, self.side, self.work = bench, case, case.model, bench.sides[0], work
        self.store, self.current, self.kept = f"{work}/store", f"{work}/current", f"{work}/kept"
        self.bytes, self.seconds, self.reads = {}, {}, {}  # lists by method; of reads by (method, step)
        self.changed, self.classes = [], stores
        os.makedirs(self.kept)

    def file(self, number): return f"{self.kept}/{number}.safetensors"

    def add(self, by, added, spent=None):
        self.bytes.setdefault(by, []).append(added)
        if spent is not None: self.seconds.setdefault(by, []).append(spent)

    def commit(self, number):
        """Bytes and seconds of Cambium's commit of the current folder."""
        before = occupied(self.store)
        spent, _ = timed(self.side.cambium, "commit", self.current, "-m", f"step {number}", "-C", self.store, "-q")
        return occupied(self.store) - before, spent

    def run(self):
        self.side.cambium("init", self.store, "-q")
        self.model.write(self.current)
        self.commit(0)
        os.rename(f"{self.current}/model.safetensors", self.file(0))
        self.peers = []
        for make in self.classes:
            os.makedirs(place := f"{self.work}/{make.__name__}")
            self.peers.append(make(place, self.model, self.file(0)))
        often = max(1, self.case.steps // 20)
        for number, index, value in self.case:
            self.changed.append(len(index))
            # What trainers do without differences: the checkpoint itself, on the disk when this returns.
            spent, _ = timed(self.model.write, self.current)
            self.add(WHOLE, self.model.bytes, spent)
            self.add("cambium", *self.commit(number))
            if number % often == 0:
                self.seconds.setdefault(FLOOR, []).append(hashing(f"{self.current}/model.safetensors"))
            for peer in self.peers:
                if peer.sampled and number not in self.case.marked: continue
                spent, added = timed(peer.commit, number, index, value)
                self.add(peer.name, added * peer.scale, spent * peer.scale if peer.timed else None)
                if number in self.case.marked and hasattr(peer, "keep"): peer.keep(number)
            if number in self.case.marked: os.rename(f"{self.current}/model.safetensors", self.file(number))
            if number % -(-self.case.steps // 5) == 0:
                self.bench.say(f"{self.case.name}: step {number} of {self.case.steps}")
        shutil.rmtree(self.current)

    def export(self, number):
        """Seconds of an export, which is compared with what was committed."""
        with folder(self.work, "out") as out:
            revision = f"main~{self.case.steps - number}"
            spent, _ = timed(self.side.cambium, "export", revision, out, "-C", self.store, "-q")
            if not filecmp.cmp(f"{out}/model.safetensors", self.file(number), False):
                raise Failure(f"{self.case.name}: the export of step {number} has other bytes")
        return spent

    def read(self):
        import numpy as np
        for number in self.case.marked:
            for _ in range(1 if self.bench.quick else 3):
                found = {"raw read": reading(self.file(number)), "cambium": self.export(number),
                         "read and write": timed(shutil.copyfile, self.file(number), f"{self.work}/copy")[0]}
                for by, spent in found.items(): self.reads.setdefault((by, number), []).append(spent)
                os.remove(f"{self.work}/copy")
            wanted = self.model.elements_of(self.file(number), len(self.model.header))
            for peer in self.peers:
                spent, found = timed(peer.restore, number)
                if not np.array_equal(found, wanted[:peer.elements]):
                    raise Failure(f"{peer.name} does not give back step {number} of {self.case.name}")
                if peer.timed: self.reads[peer.name, number] = [spent * peer.scale]

    def behind(self):
        """A reader that is half of the steps behind: one folded change, applied to what it has, and compared."""
        import numpy as np
        before, last = self.case.marked[-2:] if len(self.case.marked) > 1 else (0, self.case.marked[-1])
        path, steps = f"{self.work}/folded.safetensors", self.case.steps
        spent, _ = timed(self.side.cambium, "diff", f"main~{steps - before}", f"main~{steps - last}", "--patch", path,
                         "-C", self.store, "-q")
        start = len(self.model.header)
        weights = np.array(self.model.elements_of(self.file(before), start))
        wanted = self.model.elements_of(self.file(last), start)
        differ, told = int(np.count_nonzero(weights != wanted)), 0
        places, patch = tensors(self.file(before)), tensors(path)
        for name, (first, count, width) in patch.items():
            tensor, _, form = name.rpartition(".")
            if form == "index" and tensor in places:
                index = np.fromfile(path, {4: np.uint32, 8: np.uint64}[width], count, offset=first)
                values = np.fromfile(path, np.uint16, count, offset=patch[f"{tensor}.value"][0])
                weights[(places[tensor][0] - start) // 2 + index.astype(np.int64)] = values
                told += count
            elif name in places:
                at = (places[name][0] - start) // 2
                weights[at:at + count] = np.fromfile(path, np.uint16, count, offset=first)
                told += count
        if not np.array_equal(weights, wanted):
            raise Failure(f"{self.case.name}: the change from step {before} to {last} gives other weights")
        self.note(f"elements told from step {before} to {last}", told, "elements", against=("elements that differ", differ),
                  goal=at_most(1.2))
        self.note(f"elements told from step {before} to {last}", sum(self.changed[before:last]), "elements", SPARSE,
                  against=("elements that differ", differ))
        self.note(f"change from step {before} to {last}", spent, "s")
        os.remove(path)

    def totals(self):
        """Bytes after all steps by method, and of the store after what makes it smaller."""
        first = {WHOLE: self.model.bytes, **{peer.name: peer.base_bytes * peer.scale for peer in self.peers}}
        found = {by: count + statistics.mean(self.bytes[by]) * self.case.steps for by, count in first.items()}
        found, after = {"cambium": occupied(self.store), **found}, {}
        for words in (["repack"], ["repack", "--compress"]):
            self.bench.say(f"{self.case.name}: {' '.join(words)}")
            spent, _ = timed(self.side.cambium, *words, "-C", self.store, "-q")
            after[" ".join(words)] = occupied(self.store), spent
            for number in self.case.marked: self.export(number)
        return found, after

    def note(self, what, values, unit, by="cambium", **more):
        if by != "cambium": more.pop("goal", None)
        self.bench.note(self.case.name, what, values, unit, by=by, **more)

    def report(self):
        name, steps, changed = self.case.name, self.case.steps, statistics.mean(self.changed)
        synthetic, large = name == "synthetic", not name.startswith("trained")
        self.note("elements changed a step", changed / len(self.model.elements), "share", "the model")
        average = {by: statistics.mean(added) for by, added in self.bytes.items()}
        sparse = SPARSE, average[SPARSE]
        for by, added in self.bytes.items():
            against, goal = sparse if by != SPARSE else None, at_most(0.35) if synthetic else None
            if name == "rows": against, goal = ("changed bytes", 2 * changed), at_most(1.15)
            self.note("bytes a step", added, "bytes", by, against=against, goal=goal, center="mean")
        for by in ("cambium", SPARSE):
            self.note("bytes per changed element", average[by] / changed, "bytes/element", by)
        floor = self.bench.median(FLOOR, self.seconds[FLOOR])
        for by, spent in self.seconds.items():
            self.note("seconds a step", spent, "s", by, against=floor if by == "cambium" else None,
                      goal=at_most(1.3) if synthetic else None)
        for (by, number), spent in self.reads.items():
            raw = self.bench.median("raw read", self.reads["raw read", number])
            self.note(f"read back step {number}", spent, "s", by, against=raw if by != "raw read" else None,
                      goal=at_most(3) if large else None)
        self.behind()
        found, after = self.totals()
        whole = WHOLE, found[WHOLE]
        for by, total in found.items():
            self.note(f"total after {steps} steps", total, "bytes", by, against=whole if by != WHOLE else None)
        for what in ("repack", "repack --compress"):
            count, spent = after[what]
            self.note(f"total after {what}", count, "bytes", against=whole)
            self.note(what, spent, "s")
        return {"case": name, "share": changed / len(self.model.elements), "elements": len(self.model.elements),
                "bytes": average}


def run_case(bench, make, stores):
    with folder(bench.args.dir, "steps") as work:
        one = Steps(bench, make(), stores, work)
        one.run()
        one.read()
        return one.report()


def train(bench, steps, rates):
    """The folder of what training changed, made once."""
    size = "quick" if bench.quick else "full"
    place = os.path.join(SCRATCH, f"steps-{size}-{steps}")
    os.makedirs(place, exist_ok=True)
    bench.say(f"{steps} steps at {', '.join(rates)}, where {os.path.relpath(place, SCRATCH)} does not have them")
    texts = [f"{bench.args.data}/{name}/train.txt" for name in TEXTS]
    call(*script("torch_steps.py", place, size, steps, *rates, "--", *texts))
    return place


def sizes(bench):
    """Steps of a case, and bytes of the synthetic model."""
    return bench.args.steps or (20 if bench.quick else 100), (bench.args.size or (16 if bench.quick else 1024)) * MIB


def run(bench):
    sys.path.insert(0, PEERS)
    import step_stores
    from targets import steps_cases as cases
    steps, size = sizes(bench)
    remark, stores = bench.remarks.append, []
    for store in step_stores.STORES:
        if store.lacks(): remark(f"{store.name} is not measured: no Python module {store.lacks()} (see --peers)")
        else: stores.append(store)
        if store.limit and size > store.limit and bench.cases != ["trained"]:
            remark(f"{store.name}: models above {store.limit // MIB} MiB are measured on that much of them, and scaled")
    remark("xet-like chunks are cut by numpy, so that their seconds would say nothing; ZipNN is measured at the steps "
           "that are read back, on the whole file; an export writes its files as well")
    for name, make in (("synthetic", lambda: cases.synthetic(size, steps)),
                       ("rows", lambda: cases.rows(min(size, 256 * MIB), steps))):
        if name in bench.cases: bench.attempt(name, run_case, bench, make, stores)
    if "trained" not in bench.cases: return
    reason = next((f"no Python module {name} (see --peers)" for name in ("torch", "transformers")
                   if importlib.util.find_spec(name) is None), None)
    if not reason and not os.path.isdir(bench.args.data):
        reason = f"{bench.args.data} is absent; --data names another folder"
    if reason: return remark(f"trained is not measured: {reason}")
    steps, rates = (5, RATES[:1]) if bench.quick else (steps, RATES)
    place, points = bench.attempt("training", train, bench, steps, rates), []
    for rate in rates if place else ():
        one = bench.attempt(f"trained, {rate}", run_case, bench, lambda: cases.trained(place, rate, steps), stores)
        if one: points.append({"rate": float(rate), **one})
    bench.extra["rates"] = points
    if points: bench.remarks += plots.steps(points, bench.plots)


def disk(bench):
    """Checkpoints that are kept and the store, twice; sparse files; 64 MiB a step of OCDBT; what training changed."""
    steps, size = sizes(bench)
    kept = 4 * 10**9 if "trained" in bench.cases and not bench.quick else 0
    return int(size * (11 + 0.08 * steps) + steps * min(size, 64 * MIB)) + kept


TARGET = Target(
    "steps", "Training steps that change a little of everything: bytes, seconds and reading back, beside sparse files.",
    run, ("cambium",), cases=("synthetic", "rows", "trained"), disk=disk, optional=("data",),
    peers=Peers("numpy, TensorStore, ZipNN and PyTorch", "numpy", "requirements-steps.txt", "bench-python-steps",
                needed=True, optional=("zipnn==0.5.4",)),  # it comes as source, and wants a C compiler
    options={"data": STREAM, "plots": None,
             "steps": {"type": int, "default": 0, "help": "steps of each case (default: 100, quick: 20)"},
             "size": {"type": int, "default": 0, "help": "MiB of the synthetic model (default: 1024, quick: 16)"}})
