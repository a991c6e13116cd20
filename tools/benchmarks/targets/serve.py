"""The server under load, beside llama.cpp's, with a model of 472M parameters shaped as OLMoE.

The weights are random, so that the text means nothing; the work for a token is that of real ones.
"""
import http.client, json, os, re, statistics, subprocess, threading, time, urllib.parse

from harness.bench import LLAMA, Target, turns
from harness.machine import kilobytes
from harness.programs import Failure, peer, run as call, script
from harness.report import at_least, at_most
from targets import models_make, serve_mixed

THREADS, SLOTS = 2, 16


class Server:
    """Ours, of a store."""

    def __init__(self, side, store, *options):
        self.child = subprocess.Popen(
            [side.path("cambium-serve"), "-C", store, "--port", "0", "--threads", str(THREADS), "--batch", str(SLOTS),
             *map(str, options)], stderr=subprocess.PIPE, text=True)
        self.url = None
        for line in self.child.stderr:
            if found := re.search(r"message=listening .*port=(\d+)", line):
                self.url = f"http://127.0.0.1:{found[1]}"
                break
        if not self.url: raise Failure("cambium-serve did not start")
        threading.Thread(target=self.child.stderr.read, daemon=True).start()

    def resident(self): return kilobytes(f"/proc/{self.child.pid}/status", "VmRSS")

    def own(self): return kilobytes(f"/proc/{self.child.pid}/status", "RssAnon")

    def close(self):
        self.child.terminate()
        self.child.wait()


class Client:
    """One connection that stays open."""

    def __init__(self, url, more):
        self.more, self.link = more, http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=600)

    def ask(self, prompt, count, model="main"):
        """Seconds, and the answer."""
        body = {"model": model, "prompt": prompt, "max_tokens": count, "temperature": 0, **self.more}
        begin = time.perf_counter()
        self.link.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        answer = self.link.getresponse()
        text = answer.read()
        if answer.status != 200: raise Failure(f"status {answer.status}: {text[:300]!r}")
        return time.perf_counter() - begin, json.loads(text)


def prompt(number, length): return [33 + (number * 17 + place * 37) % 90 for place in range(length)]


def percentile(values, share): return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Serving:
    def __init__(self, bench):
        try: import numpy
        except ImportError: raise Failure("the model is made with numpy, which --peers installs") from None
        self.bench, self.folder = bench, f"{bench.args.dir}/serve"
        self.size = models_make.QUICK if bench.quick else models_make.FULL
        self.count = bench.args.count or (8 if bench.quick else 64)
        self.length, self.each = (8, 2) if bench.quick else (64, 4)
        bench.say("making the model")
        self.tensors = models_make.tensors(self.size)
        models_make.write(self.folder, self.tensors, self.size, False)
        self.random = numpy.random.Generator(numpy.random.PCG64(9))
        for side in bench.sides:
            side.cambium("init", self.store(side))
            side.cambium("commit", self.folder, "-m", "base", "--store", self.store(side))

    def store(self, side): return f"{self.bench.args.dir}/served-{side.name}"

    def check(self, side, server):
        """Answers of requests at the same time are those of the command line."""
        found = self.run(server.url, {}, 4, 1, keep=True)[2]
        for number, text in sorted(found.items())[:2]:
            words = "".join(map(chr, prompt(number, self.length)))
            alone = json.loads(side.cambium("generate", "main", "--prompt", words, "-n", self.count, "--json", "--store",
                                            self.store(side)))
            if alone["text"] != text: raise Failure(f"request {number} was answered with another text than alone")

    def run(self, url, more, clients, each, keep=False, models=("main",)):
        """Tokens a second, the seconds of all requests, and the texts; clients ask models in turns."""
        seconds, texts, tokens, failures = [], {}, [], []

        def work(client):
            one = Client(url, more)
            try:
                for turn in range(each):
                    number = client * each + turn
                    took, answer = one.ask(prompt(number, self.length), self.count, models[client % len(models)])
                    seconds.append(took)
                    tokens.append(answer["usage"]["completion_tokens"])
                    if keep: texts[number] = answer["choices"][0]["text"]
            except (Failure, OSError) as failure: failures.append(failure)

        threads = [threading.Thread(target=work, args=(client,)) for client in range(clients)]
        begin = time.perf_counter()
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        if failures: raise Failure(str(failures[0]))
        return sum(tokens) / (time.perf_counter() - begin), seconds, texts

    def load(self):
        bench, servers, other = self.bench, {}, None
        try:
            for side in bench.sides:
                servers[side.name] = (Server(side, self.store(side), "main"), {})
                self.check(side, servers[side.name][0])
            if bench.has_peers:
                file = f"{bench.args.dir}/model.gguf"
                call(*script("llama_models.py", "write", self.folder, "f32", file))
                other = peer("llama.cpp", "llama_models.py", "serve", file, THREADS, SLOTS)
                other.url = other.ready["url"]
                servers["llama.cpp"] = (other, {"ignore_eos": True, "cache_prompt": False})
            for clients in (1, 4, 16):
                bench.say(f"{clients} clients")
                found = turns(1 if bench.quick else 3, {
                    by: lambda _, server=server, more=more: self.run(server.url, more, clients, self.each)
                    for by, (server, more) in servers.items()})
                theirs = found.get("llama.cpp", [])
                for by, runs in found.items():
                    title = f"{clients} clients"
                    bench.note(title, "tokens", [run[0] for run in runs], "tokens/s", by=by,
                               goal=at_least(1.1) if by == "cambium" and theirs else None,
                               against=bench.median("llama.cpp", [run[0] for run in theirs]) if by == "cambium" else None)
                    for share, what in ((0.5, "p50"), (0.99, "p99")):
                        bench.note(title, f"request, {what}", [percentile(run[1], share) for run in runs], "s", by=by)
        finally:
            for server, _ in servers.values(): server.close()

    def change(self, path, share):
        """A patch of some experts of each layer."""
        experts = max(1, int(self.size["experts"] * share))
        changed = {}
        for layer in range(self.size["layers"]):
            for expert in self.random.choice(self.size["experts"], experts, replace=False):
                for part in ("gate", "up", "down"):
                    name = f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"
                    value = self.tensors[name]
                    changed[name] = value + self.random.standard_normal(value.shape, dtype=value.dtype) * value.std() / 10
        models_make.write(path, changed, self.size, False)
        return f"{path}/model.safetensors"

    def tune(self, side, branch):
        """A branch of main with 5 % of its experts changed."""
        side.cambium("branch", branch, "main", "--store", self.store(side))
        side.cambium("commit", "--patch", self.change(f"{self.folder}/patch", 0.05), "-m", branch, "--branch", branch,
                     "--store", self.store(side))

    def finetunes(self):
        """16 clients of one model, and of four that differ in 5 % of their experts."""
        branches = ["main", *(f"finetune{number}" for number in range(3))]
        servers = {}
        try:
            for side in self.bench.sides:
                for branch in branches[1:]: self.tune(side, branch)
                servers[side.name] = Server(side, self.store(side), "--models", 8, *branches)
                texts = self.run(servers[side.name].url, {}, 4, 1, keep=True, models=branches)[2]
                for number, branch in enumerate(branches):
                    words = "".join(map(chr, prompt(number, self.length)))
                    alone = json.loads(side.cambium("generate", branch, "--prompt", words, "-n", self.count, "--json",
                                                    "--store", self.store(side)))
                    if alone["text"] != texts[number]: raise Failure(f"{branch} answered with another text than alone")
            clients = 4 if self.bench.quick else 16
            found = turns(1 if self.bench.quick else 3, {
                (name, len(models)): lambda _, server=server, models=models: self.run(
                    server.url, {}, clients, self.each, models=models)[0]
                for name, server in servers.items() for models in (branches[:1], branches)})
            for (name, models), values in found.items():
                self.bench.note("fine-tunes", f"{clients} clients of {models}", values, "tokens/s", by=name,
                                against=("one model", statistics.median(found[name, 1])) if models > 1 else None)
        finally:
            for server in servers.values(): server.close()

    def memory(self):
        """Snapshots that differ in 5 % of their experts, all of them answering."""
        for side in self.bench.sides:
            server, first = Server(side, self.store(side), "--models", 32), None
            try:
                for number in range(20):
                    branch = f"tuned{number}"
                    self.tune(side, branch)
                    one = Client(server.url, {})
                    # Every expert is read: what is resident is all that the snapshots need.
                    for turn in range(2 if self.bench.quick else 8):
                        one.ask([(turn * 991 + place * 7919) % self.size["vocabulary"] for place in range(512)], 1, branch)
                    if number + 1 not in (1, 5, 20): continue
                    resident = server.resident()
                    first = first or resident
                    self.bench.note("memory", f"{number + 1} snapshots", resident, "bytes", by=side.name,
                                    against=("one", first), goal=at_most(1.3) if number + 1 == 20 else None)
                    self.bench.note("memory", f"{number + 1} snapshots: the server's own", server.own(), "bytes",
                                    by=side.name)
            finally: server.close()

    def switch(self):
        """A head that moves while four clients ask."""
        for side in self.bench.sides:
            server, stop, seconds, failures, commits = Server(side, self.store(side), "main"), threading.Event(), [], [], set()

            def work(client):
                one = Client(server.url, {})
                while not stop.is_set():
                    try:
                        took, answer = one.ask(prompt(client, 8), 4)
                        seconds.append((time.perf_counter(), took))
                        commits.add(answer["system_fingerprint"])
                    except (Failure, OSError) as failure: failures.append(failure)

            try:
                patch = self.change(f"{self.folder}/patch", 0.05)
                threads = [threading.Thread(target=work, args=(client,)) for client in range(4)]
                for thread in threads: thread.start()
                time.sleep(2 if self.bench.quick else 10)
                # The server and the commit share the processors: what a commit alone takes is told as well.
                begin = time.perf_counter()
                side.cambium("commit", "--patch", patch, "-m", "moved", "--store", self.store(side))
                moved = time.perf_counter()
                time.sleep(2 if self.bench.quick else 10)
                stop.set()
                for thread in threads: thread.join()
            finally: server.close()
            before = [took for at, took in seconds if at < begin]
            during = [took for at, took in seconds if begin <= at < moved]
            after = [took for at, took in seconds if moved <= at < moved + 1.5]
            if len(commits) != 2: raise Failure(f"{len(commits)} commits answered, not the old and the new one")
            note = self.bench.note
            note("a new head", "failed requests", len(failures), "count", by=side.name)
            if failures: raise Failure(f"a request failed: {failures[0]}")
            usual = percentile(before, 0.99)
            note("a new head", "request before, p99", usual, "s", by=side.name)
            if during: note("a new head", "while it is committed, p99", percentile(during, 0.99), "s", by=side.name)
            note("a new head", "in the 1.5 s after, p99 above that", max(0.0, percentile(after, 0.99) - usual), "s",
                 by=side.name, against=("50 ms", 0.05), goal=at_most(1.0))


def run(bench):
    cases = [name for name in ("load", "finetunes", "memory", "switch") if name in bench.cases]
    if cases and (serving := bench.attempt("the model", Serving, bench)):
        for name in cases: bench.attempt(name, getattr(serving, name))
    if "mixed" in bench.cases: bench.attempt("mixed", serve_mixed.mixed, bench, Server)


TARGET = Target(
    "serve", "The server: tokens and seconds under load beside llama.cpp's, fine-tunes at once, memory of many snapshots, "
    "a new head mid-load, mixed load.",
    run, ("cambium", "cambium-serve"), cases=("load", "finetunes", "memory", "switch", "mixed"), peers=LLAMA, compares=True,
    options={"count": {"type": int, "help": "new tokens of a request (64, quick 8)"},
             "minutes": {"type": float, "help": "of mixed load (30, quick 0.5)"}},
    disk=lambda bench: 1e9 if bench.quick else 14e9)
