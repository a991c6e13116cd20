"""Running a model of 472M parameters shaped as OLMoE, beside transformers and llama.cpp.

The weights are random, so that the text means nothing; the work for a token is that of real ones.
"""
import importlib.util, json, os, subprocess, time

from harness.bench import TRANSFORMERS, Target, turns
from harness.machine import kilobytes
from harness.programs import Failure, evict, peak, peer, script
from harness.report import at_least, at_most
from targets import models_make
from targets.models_answers import alike, difference, joined, logits
from targets.models_families import beside_transformers
from targets.models_llama import beside_llama, quantise

PROMPT = [1 + 37 * i % 997 for i in range(16)]
FORMS = {"fp32": "fp32-fused", "bf16": "bf16"}
REVISIONS = {"fp32": "main", "bf16": "bf16"}


def anonymous(pid): return kilobytes(f"/proc/{pid}/status", "RssAnon")


def once(words):
    """Runs a program to its end: its answer, with the seconds from its start and its most memory."""
    begin = time.perf_counter()
    child = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with peak(child) as most:
        line = child.stdout.readline()
        seconds = time.perf_counter() - begin
    errors = child.stderr.read()
    if child.wait() != 0 or not line: raise Failure(f"{words[0]}: {errors.strip()[-500:]}")
    return {**json.loads(line), "seconds": seconds, "peak_anonymous": most[0]}


class Models:
    def __init__(self, bench):
        self.bench, self.models = bench, f"{bench.args.dir}/models"
        self.count = bench.args.count or (16 if bench.quick else 32)
        self.rounds = bench.args.rounds or (2 if bench.quick else 5)
        self.size, self.free = models_make.QUICK if bench.quick else models_make.FULL, {}
        bench.say("making the models")
        self.bytes = models_make.make(self.models, self.size)
        for side in bench.sides: side.cambium("init", self.store(side))
        for form, revision in REVISIONS.items():
            for side in bench.sides:
                store = ["--store", self.store(side)]
                if form != "fp32": side.cambium("branch", form, *store)
                begin = time.perf_counter()
                side.cambium("commit", f"{self.models}/{form}", "-m", form, "--branch", revision, *store)
                bench.note(form, "import", time.perf_counter() - begin, "s", by=side.name)

    def store(self, side): return f"{self.bench.args.dir}/store-{side.name}"

    def words(self, side, form): return "--store", self.store(side), "--revision", REVISIONS[form]

    def ours(self, side, form, *words): return side.start("models-benchmark", "serve", *self.words(side, form), *words)

    def program(self, side, revision):
        return side.start("models-benchmark", "serve", "--store", self.store(side), "--revision", revision)

    def compare(self, form, ours, other):
        """Logits of a prompt, and as many greedy tokens as both choose alike."""
        note = self.bench.note

        def written(name, ask): return logits(f"{self.bench.args.dir}/{name}.f32", ask)

        mine = written("ours", lambda path: ours.ask("logits", joined(PROMPT), path))
        found = difference(mine, written("theirs", lambda path: other.ask("logits", joined(PROMPT), path)))
        if form == "bf16":
            # transformers computes BF16 models in BF16, where near-ties of random routers fall otherwise: that
            # difference is told, and parity judged where it computes with the same weights in 32 bits.
            note(form, "logits against ours, computed in BF16", found, "share", by="transformers")
            found = difference(mine, written("wide", lambda path: once(script(
                "torch_models.py", "logits", f"{self.models}/{FORMS[form]}", joined(PROMPT), path))))
        note(form, "logits against ours, of their deviation", found, "share", by="transformers")
        if found > 2e-4: raise Failure(f"{form}: logits differ by {found} of their standard deviation")
        texts = [one.ask("decode", joined(PROMPT), 32, 2)["tokens"] for one in (ours, other)]
        equal = alike(*texts)
        note(form, "greedy tokens alike, of 32", equal, "count", by="transformers")
        if form == "fp32" and equal < 32: raise Failure(f"greedy texts differ after {equal} tokens")

    def decode(self, form):
        programs, bench = {side.name: self.ours(side, form) for side in self.bench.sides}, self.bench
        try:
            if bench.has_peers:
                programs["transformers"] = peer("transformers", "torch_models.py", "serve", f"{self.models}/{FORMS[form]}")
                self.compare(form, programs["cambium"], programs["transformers"])
            found = turns(self.rounds, {
                (by, threads): lambda _, one=one, threads=threads: one.ask("decode", joined(PROMPT), self.count, threads)
                for by, one in programs.items() for threads in (1, 2)})
        finally:
            for one in programs.values(): one.close()
        for threads in (1, 2):
            for metric, unit, what, scale in (
                    ("tokens_per_s", "tokens/s", "decode", 1), ("prefill_seconds", "s", "16 tokens of prompt", 1),
                    ("cpu_ms_per_token", "s", "processor time of a token", 1e-3)):
                values = {by: [answer[metric] * scale for answer in found[by, threads]] for by in programs}
                goal = at_least(3, "≥ 3 ×") if what == "decode" and threads == 2 else None
                for side in bench.sides:
                    bench.note(form, f"{what}, {threads} threads", values[side.name], unit, by=side.name, goal=goal,
                               against=bench.median("transformers", values.get("transformers")))
        self.free = {side.name: [answer["tokens_per_s"] for answer in found[side.name, 2]] for side in bench.sides}

    def first(self, form):
        """First token of a process, with the model's files out of the page cache and in it."""
        folder, bench = f"{self.models}/{FORMS[form]}", self.bench
        sides = {side.name: ([side.path("models-benchmark"), "first", *self.words(side, form), "--tokens"],
                             f"{self.store(side)}/data.mdb") for side in bench.sides}
        if bench.has_peers:
            sides["transformers"] = script("torch_models.py", "first", folder), f"{folder}/model.safetensors"
        narrow = 2 if form == "bf16" else 1
        rest = (self.bytes["all"] - self.bytes["experts"] - self.bytes["embedding"]) // narrow
        for tokens in (1, 16):
            def action(by, state):
                words, file = sides[by]
                if state == "cold": evict(file)
                return once([*words, joined(PROMPT[:tokens])])

            # transformers spends most of a warm start importing itself.
            keys = [(by, state) for by in sides for state in ("cold", "warm") if (by, state) != ("transformers", "warm")]
            found = turns(self.rounds, {key: lambda _, key=key: action(*key) for key in keys}, warm=False)
            needed = rest + 4 * self.size["hidden"] // narrow * tokens
            for (by, state), answers in found.items():
                def note(metric, unit, what, against, goal):
                    bench.note(form, f"first token, {state}, prompt of {tokens}: {what}", [a[metric] for a in answers], unit,
                               by=by, against=against, goal=goal if by == "cambium" else None)

                for metric, unit, what in (("seconds", "s", "from the process's start"),
                                           ("peak_anonymous", "bytes", "its own memory at most")):
                    if by == "transformers": continue
                    other = [answer[metric] for answer in found.get(("transformers", state), [])]
                    note(metric, unit, what, bench.median("transformers", other),
                         at_most(1 / 3) if state == "cold" else None)
                if state == "cold":
                    touched = answers[0].get("bytes_touched") or found["cambium", "cold"][0]["bytes_touched"]
                    note("bytes_read", "bytes", "bytes read", ("bytes it needs", needed + touched),
                         at_most(1.2) if tokens == 1 else None)

    def limited(self, form):
        """A limit of 40 % of the model, with and without the experts of a profile asked for before."""
        bench, narrow = self.bench, 2 if form == "bf16" else 1
        # The program itself takes some 40 MB, more than a small model.
        limit = max(int(0.4 * self.bytes["all"] / narrow), 64 << 20)
        bench.say(f"memory limit of {limit >> 20} MiB, {form}")
        expected = {}
        for side in bench.sides:
            with self.ours(side, form) as one: tokens = one.ask("decode", joined(PROMPT), self.count, 2)["tokens"]
            expected[side.name] = tokens
            side.cambium("profile", REVISIONS[form], "--tokens", joined(PROMPT + tokens), "--store", self.store(side))

        def action(side, warm):
            with self.ours(side, form, "--limit", limit, "--warm" if warm else "--no-warm") as one:
                answer = one.ask("decode", joined(PROMPT), self.count, 2)
                answer["anonymous"] = anonymous(one.child.pid)
            if answer["tokens"] != expected[side.name]: raise Failure(f"{form}: a limit changed the tokens")
            return answer

        for warm in (False, True):
            found = turns(self.rounds, {side.name: lambda _, side=side: action(side, warm) for side in bench.sides}, warm=False)
            title = "memory limit 40 %, " + ("experts of a profile first" if warm else "no profile")
            for by, answers in found.items():
                for metric, unit in (("tokens_per_s", "tokens/s"), ("hit_rate", "share"), ("prefetch_accuracy", "share"),
                                     ("anonymous", "bytes")):
                    if metric == "prefetch_accuracy" and not warm: continue
                    against = bench.median("no limit", self.free.get(by)) if metric == "tokens_per_s" else None
                    bench.note(form, f"{title}: {metric.replace('_', ' ')}", [a.get(metric) for a in answers], unit, by=by,
                               against=against)


def run(bench):
    if "families" in bench.cases and len(bench.sides) < 2:
        if bench.has_peers: bench.attempt("families", beside_transformers, bench)
        else: bench.remarks.append("families are not measured: transformers makes their models")
    if bench.cases == ["families"]: return
    models = Models(bench)
    if "llama" in bench.cases and len(bench.sides) < 2:
        if importlib.util.find_spec("xllamacpp"):
            bench.attempt("quantising", quantise, models)
            bench.attempt("beside llama.cpp", beside_llama, models, PROMPT)
        else: bench.remarks.append("llama.cpp is not measured (see --peers)")
    for form in FORMS:
        for part, what in (("decode", "decoding"), ("first", "first token"), ("limited", "memory limit")):
            if part in bench.cases: bench.attempt(f"{what}, {form}", getattr(models, part), form)


TARGET = Target(
    "models", "Running a model of 472M parameters shaped as OLMoE: speed, cold starts, memory; beside transformers and llama.cpp."
    " Several texts at once of a model of each family.",
    run, ("cambium", "models-benchmark"), cases=("families", "llama", "decode", "first", "limited"), peers=TRANSFORMERS,
    compares=True,
    options={"count": {"type": int, "help": "tokens of a decoded text (32, quick 16)"},
             "rounds": {"type": int, "help": "rounds of each measurement (5, quick 2)"}},
    disk=lambda bench: 1e9 if bench.quick or bench.cases == ["families"] else 9e9)
