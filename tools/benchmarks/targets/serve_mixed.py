"""Hours of a server in minutes: clients of several branches while these are committed to, merged, deleted and collected,
and clients that are killed. Every answer is compared with what `cambium generate` writes at the commit that it names."""
import http.client, json, os, queue, random, socket, struct, threading, time, urllib.parse

from harness.bench import SAMPLE
from harness.machine import kilobytes
from harness.programs import Failure
from harness.report import at_most

BRANCHES, CLIENTS, ROWS, WIDTH = ("main", "one", "two"), 4, 1024, 64
# Prompts with the tokens and the temperature that are asked for.
WISHES = (("Q: Tom has 3 apples and ", 24, 0), ("The king ", 24, 0.8), ("12 + 30 = ", 4, 0), ("a", 4, 0.8),
          ("Who has more than he needs? " * 8, 8, 0))
EXPERTS = "model.layers.1.peer.down.weight"


def write_patch(path, rows, chance):
    """Some experts of the sample model, with new numbers."""
    values = struct.pack(f"<{len(rows) * WIDTH}f", *(chance.gauss(0, 0.3) for _ in range(len(rows) * WIDTH)))
    numbers = struct.pack(f"<{len(rows)}q", *rows)
    head = json.dumps({
        EXPERTS: {"dtype": "F32", "shape": [len(rows), WIDTH], "data_offsets": [0, len(values)]},
        EXPERTS + ".rows": {"dtype": "I64", "shape": [len(rows)], "data_offsets": [len(values), len(values) + len(numbers)]},
    }).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as file: file.write(struct.pack("<Q", len(head)) + head + values + numbers)


class Mixed:
    def __init__(self, side, folder, minutes):
        self.side, self.folder, self.store, self.minutes = side, folder, f"{folder}/mixed", minutes
        self.chance, self.stop, self.lock = random.Random(7), threading.Event(), threading.Lock()
        self.names, self.busy = list(BRANCHES), {}  # models that may be asked for, and how many are asking
        # What waits to be compared: when that is much, clients wait.
        self.answers, self.pending, self.failures = queue.Queue(2000), {}, []
        self.counts = dict.fromkeys(("answers", "compared", "killed", "commits", "merges", "deletions", "collections"), 0)
        os.makedirs(folder, exist_ok=True)
        side.cambium("init", self.store)
        self.cambium("commit", f"{SAMPLE}/base", "-m", "base")
        for branch in BRANCHES[1:]: self.cambium("branch", branch, "main")

    def cambium(self, *words): return self.side.cambium(*words, "--store", self.store)

    def count(self, what):
        with self.lock: self.counts[what] += 1

    def fail(self, failure):
        with self.lock: self.failures.append(str(failure))
        self.stop.set()

    def guarded(self, action, *words):
        """A thread of an action, whose failure ends the load."""
        def work():
            try: action(*words)
            except Exception as failure: self.fail(f"{action.__name__}: {type(failure).__name__}: {failure}")

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    # Who asks.

    def borrow(self, chance):
        """A model to ask for; it is not deleted until it is given back."""
        with self.lock:
            name = chance.choice(self.names)
            self.busy[name] = self.busy.get(name, 0) + 1
            return name

    def give_back(self, name):
        with self.lock: self.busy[name] -= 1

    def client(self, url, number):
        chance, link = random.Random(number), http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=120)
        while not self.stop.is_set():
            name, streams = self.borrow(chance), chance.random() < 0.3
            wishes = chance.choice(WISHES)
            try:
                body = {"model": name, "prompt": wishes[0], "max_tokens": wishes[1], "temperature": wishes[2], "seed": 3, "stream": streams}
                link.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
                answer = link.getresponse()
                text = answer.read().decode()
                if answer.status != 200: raise Failure(f"{name} was answered with {answer.status}: {text[:300]}")
                if not streams: parts = [json.loads(text)]
                else:
                    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
                    if lines[-1:] != ["[DONE]"]: raise Failure(f"a stream of {name} ended early: {text[-300:]}")
                    parts = [json.loads(line) for line in lines[:-1]]
                found = "".join(choice["text"] for part in parts for choice in part["choices"])
                commit = parts[0]["system_fingerprint"]
                with self.lock: self.pending[commit] = self.pending.get(commit, 0) + 1
                self.answers.put((commit, *wishes, found))
                self.count("answers")
            finally: self.give_back(name)

    def killed(self, url):
        """Clients that ask for much and are gone, without a word, in the middle of it."""
        place, chance = urllib.parse.urlsplit(url), random.Random(99)
        while not self.stop.is_set():
            name = self.borrow(chance)
            try:
                body = json.dumps({"model": name, "prompt": "a", "max_tokens": 4000, "temperature": 1, "n": 3, "stream": True}).encode()
                with socket.create_connection((place.hostname, place.port), timeout=60) as link:
                    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
                    link.sendall((head + body)[:chance.choice((20, len(head) + 5, 1 << 20))])
                    if chance.random() < 0.7: self.read(link, chance.random())
                    # A reset, as of a process that was killed.
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.count("killed")
            finally: self.give_back(name)
            self.stop.wait(0.2)

    @staticmethod
    def read(link, seconds):
        link.settimeout(seconds)
        try: link.recv(4096)
        except TimeoutError: pass

    # What changes meanwhile.

    def commit(self, branch, place):
        """Each branch has experts of its own, so that merges meet no conflict."""
        rows = sorted(self.chance.sample(range(place, ROWS, len(BRANCHES) + 1), 12))
        path = f"{self.folder}/patch.safetensors"
        write_patch(path, rows, self.chance)
        made = self.cambium("commit", "--patch", path, "-m", f"experts of {branch}", "--branch", branch, "--json")
        self.count("commits")
        return json.loads(made)["id"]

    def passing(self, number):
        """A branch that comes, is asked, and goes with what only it has."""
        name = f"passing{number}"
        self.cambium("branch", name, "main")
        commit = self.commit(name, len(BRANCHES))
        with self.lock: self.names.append(name)
        self.stop.wait(1)
        with self.lock: self.names.remove(name)
        # Nobody asks for it any more, and what was answered is compared while the commit is there.
        while (self.busy.get(name) or self.pending.get(commit)) and not self.failures: time.sleep(0.02)
        self.cambium("branch", "--delete", name)
        self.count("deletions")

    def change(self):
        number = 0
        while not self.stop.is_set():
            for place, branch in enumerate(BRANCHES): self.commit(branch, place)
            self.cambium("merge", "one", "two", "--into", "main")
            self.count("merges")
            self.passing(number := number + 1)
            self.cambium("gc", "--prune", "--grace", "0")
            self.count("collections")
            self.stop.wait(0.5)

    # What is right.

    def compare(self):
        """Ends at a None behind the last answer."""
        known = {}
        while (answer := self.answers.get()) is not None:
            try:
                *asked, found = answer
                if tuple(asked) not in known:
                    commit, prompt, count, temperature = asked
                    more = ("--temperature", temperature, "--seed", 3) if temperature else ()
                    known[tuple(asked)] = json.loads(self.cambium(
                        "generate", commit, "--prompt", prompt, "-n", count, "--json", *more))["text"]
                if known[tuple(asked)] != found: raise Failure(f"{asked} was answered with {found!r}, not {known[tuple(asked)]!r}")
                self.count("compared")
            except Exception as failure: self.fail(f"comparing: {failure}")
            finally:
                with self.lock: self.pending[answer[0]] -= 1

    # The run.

    def run(self, start):
        server = start(self.side, self.store, "main", "--models", 8, "--log-level", "notice")
        memory = lambda: (kilobytes(f"/proc/{server.child.pid}/status", "RssAnon"), server.resident())
        try:
            threads = [self.guarded(self.client, server.url, number) for number in range(CLIENTS)]
            threads += [self.guarded(self.killed, server.url), self.guarded(self.change)]
            comparing = self.guarded(self.compare)
            # A tenth of the time warms up: every model and every kind of request was there.
            self.stop.wait(self.minutes * 6)
            begin = memory()
            self.stop.wait(self.minutes * 54)
            self.stop.set()
            for thread in threads: thread.join()
            self.answers.put(None)
            comparing.join()
            time.sleep(3)  # what nobody uses any more is given up
            end = memory()
            if self.failures: raise Failure(self.failures[0])
            self.idle(server.url)
        finally: server.close()
        if server.child.returncode != 0: raise Failure(f"the server ended with {server.child.returncode}")
        self.cambium("verify")
        return begin, end

    @staticmethod
    def idle(url):
        """Nothing is left of clients that are gone, and the server had no failure."""
        link = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
        link.request("GET", "/metrics")
        figures = dict(line.rsplit(" ", 1) for line in link.getresponse().read().decode().splitlines() if line[0] != "#")
        for name in ("queue_length", "batch_size", "failures_total", "log_lines_lost_total"):
            if float(figures["cambium_" + name]): raise Failure(f"cambium_{name} is {figures['cambium_' + name]} at the end")


def mixed(bench, start):
    minutes = bench.args.minutes or (0.5 if bench.quick else 30)
    for side in bench.sides:
        load = Mixed(side, f"{bench.args.dir}/mixed-{side.name}", minutes)
        begin, end = load.run(start)
        note = lambda what, value, unit, **more: bench.note("mixed load", what, value, unit, by=side.name, **more)
        note("minutes", minutes, "count")
        for what, count in load.counts.items(): note(what, count, "count")
        note("failed requests", 0, "count")
        note("resident, begin", begin[1], "bytes")
        note("resident, end", end[1], "bytes")
        note("its own memory, begin", begin[0], "bytes")
        note("its own memory, end", end[0], "bytes", against=("begin", begin[0]), goal=at_most(1.5))
