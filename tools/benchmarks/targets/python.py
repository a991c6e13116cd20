"""The Python package beside safetensors, torch.load and transformers, on a Qwen3-MoE of 1.2 GB (512 experts of 2 MB).

Reading is told twice: with the tensors in hand, and with every byte used, which is what is judged. All ways have to
come to the same sums. Cold: the files are out of the page cache, and nobody has them mapped.
"""
import json, os

from harness.bench import Peers, Target, turns
from harness.programs import ROOT, Failure, evict, peer, run as call, script
from harness.report import at_most

WAYS = {"cambium": "cambium", "safetensors": "safe_open", "torch": "torch.load(mmap)"}
EXPERTS = {"quick": 16, "full": 64}


class Python:
    def __init__(self, bench):
        self.bench, self.place = bench, f"{bench.args.dir}/python"
        self.size = "quick" if bench.quick else "full"
        self.rounds = bench.args.rounds or (2 if bench.quick else 7)
        os.makedirs(self.place)
        library = bench.sides[0].path("CambiumC")
        if not library.endswith(".so"): library = os.path.join(os.path.dirname(library), "libCambiumC.so")
        os.environ["CAMBIUM_LIBRARY"] = library
        os.environ["PYTHONPATH"] = os.path.join(ROOT, "tools/python")
        bench.say("making the model")
        self.made = json.loads(call(*script("python_store.py", "make", self.place, self.size)))
        bench.note("writing", "first commit of a state dict", self.made["seconds"], "s")
        bench.note("writing", "bytes of the model", self.made["bytes"], "bytes", by="the model")

    # Reading

    def read(self):
        programs = {way: peer(title, "python_store.py", "read", way, self.place) for way, title in WAYS.items()}
        files = [f"{self.place}/S/data.mdb", f"{self.place}/folder/model.safetensors", f"{self.place}/model.pt"]
        try:
            sums, found = {}, {}
            for what in ("expert", "tensor", "all"):
                for warmth in ("cold", "warm"):
                    for use in ("in-hand", "used"):
                        def one(way, number):
                            words = [what]
                            # All experts of a layer one by one; of a cold one, another in each round.
                            if what == "expert" and warmth == "warm": words += range(EXPERTS[self.size])
                            elif what == "expert": words.append((number * 7) % EXPERTS[self.size])
                            if warmth == "cold": programs[way].ask("close"), evict(*files)
                            programs[way].ask("open")
                            answer = programs[way].ask(use, *words)
                            programs[way].ask("close")
                            if sums.setdefault((use, *map(str, words)), answer["sum"]) != answer["sum"]:
                                raise Failure(f"{WAYS[way]} reads other bytes: {what}, {warmth}")
                            return answer["seconds"]
                        if warmth == "cold" and use == "in-hand": continue
                        found[what, warmth, use] = turns(
                            self.rounds, {way: lambda number, way=way: one(way, number) for way in WAYS})
                        self.note(what, warmth, use, found[what, warmth, use])
            opened = turns(self.rounds, {way: lambda _, way=way: (
                programs[way].ask("close"), programs[way].ask("open")["seconds"])[1] for way in WAYS})
            self.note("open", "warm", "in-hand", opened)
        finally:
            for program in programs.values(): program.close()

    def note(self, what, warmth, use, values):
        names = {"expert": "one expert of a stacked tensor", "tensor": "one tensor", "all": "all tensors", "open": "open"}
        goal = {"expert": at_most(0.5), "all": at_most(1.0)}.get(what) if use == "used" else None
        label = f"{names[what]}, {warmth}, {'every byte used' if use == 'used' else 'in hand'}"
        peers = self.bench.median("safe_open", values["safetensors"])
        for way, title in WAYS.items():
            self.bench.note("reading", label, values[way], "s", by=title,
                            against=peers if way != "safetensors" else None, goal=goal if way == "cambium" else None)

    # Writing

    def write(self):
        with peer("writer", "python_store.py", "write", self.place, self.size) as program:
            def commit(_):
                answer = program.ask("commit")
                if not answer["right"]: raise Failure("a commit does not give back the expert that changed")
                return answer
            found = turns(self.rounds, {"commit": commit, "save": lambda _: program.ask("save")["seconds"]})
        save = self.bench.median("save_file", found["save"])
        self.bench.note("writing", "save_file, not synced", found["save"], "s", by="safetensors")
        self.bench.note("writing", "commit, 1 % of the experts changed", [one["seconds"] for one in found["commit"]], "s",
                        against=save, goal=at_most(0.3))
        self.bench.note("writing", "bytes of that commit", [one["bytes"] for one in found["commit"]], "bytes",
                        against=("save_file", self.made["bytes"]))

    def distributed(self):
        for ranks in (1, 2):
            words = script("python_distributed.py", self.place, self.size, ranks, self.rounds)
            found = json.loads(call(*words).splitlines()[-1])
            if not found["right"]: raise Failure(f"dcp.load on {ranks} ranks does not give the save back")
            files = self.bench.median("FileSystemWriter", found["files"])
            case = f"distributed, {ranks} ranks"
            self.bench.note(case, "dcp.save as files", found["files"], "s", by="FileSystemWriter")
            self.bench.note(case, "dcp.save as a commit", found["cambium"], "s", against=files)
            self.bench.note(case, "dcp.load", found["load"], "s")

    # Calls, and transformers

    def calls(self):
        found = json.loads(call(*script("python_store.py", "calls", self.place)))
        for name, values in found.items():
            quick = name.startswith(("get_tensor", "info", "lazy", "shape"))
            goal = at_most(1e-6, "≤ 1 µs", "value") if quick else None
            self.bench.note("calls", name, values, "s", goal=goal)

    def transformers(self):
        count = 8 if self.bench.quick else 24

        def one(way): return json.loads(call(*script("python_transformers.py", way, self.place, count)).splitlines()[-1])

        found = turns(min(3, self.rounds), {way: lambda _, way=way: one(way) for way in ("saved", "folder", "copied", "mapped")})
        first = found["saved"][0]
        for way, answers in found.items():
            for answer in answers:
                if (answer["tokens"], answer["logits"]) != (first["tokens"], first["logits"]):
                    raise Failure(f"transformers gives other tokens or logits, {way}")
        for key, what, unit, scale in (("load", "load", "s", 1), ("generate", f"{count} tokens", "s", 1),
                                       ("memory", "memory of its own", "bytes", 1024)):
            values = {way: [answer[key] * scale for answer in answers] for way, answers in found.items()}
            saved = self.bench.median("a saved folder", values["saved"])
            for way, by in (("saved", "transformers, a saved folder"), ("folder", "transformers, a stacked folder"),
                            ("copied", "cambium"), ("mapped", "cambium, mapped experts")):
                self.bench.note("transformers", what, values[way], unit, by=by, against=saved if way != "saved" else None)


def run(bench):
    one = Python(bench)
    for case in ("read", "write", "calls", "distributed", "transformers"):
        if case in bench.cases: bench.attempt(case, getattr(one, case))


def disk(bench): return (1 if bench.quick else 10) * 10**9


TARGET = Target(
    "python", "The Python package beside safetensors, torch.load and transformers: reading, committing, calls.",
    run, ("CambiumC",), cases=("read", "write", "calls", "distributed", "transformers"), disk=disk,
    peers=Peers("PyTorch, safetensors and transformers", "torch", "requirements-python.txt", "bench-python-package",
                needed=True),
    options={"rounds": {"type": int, "default": 0, "help": "rounds of turns (default: 7, quick: 2)"}})
