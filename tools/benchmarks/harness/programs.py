"""The programs that a benchmark runs: built, run to their end, or asked line by line; and the peers' Python."""
import contextlib, json, os, shutil, subprocess, sys, threading, time

from harness.machine import kilobytes

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(HERE))
PEERS = os.path.join(HERE, "peers")


class Failure(Exception):
    """A wrong answer, or a program that did not end well."""


class Side:
    """The programs of one checkout: `cambium`, and what a target builds beside it."""

    def __init__(self, name, checkout, products):
        self.name, self.programs = name, {}
        for product in products:
            # A program that is built already: CAMBIUM, CAMBIUM_STORAGE_BENCHMARK, CAMBIUM_BEFORE_…
            variable = "CAMBIUM" + ("_BEFORE" if name == "before" else "")
            if product != "cambium": variable += "_" + product.upper().replace("-", "_")
            self.programs[product] = os.environ.get(variable) or built(checkout, product)

    def path(self, product): return self.programs[product]

    def cambium(self, *words): return run(self.programs["cambium"], *words)

    def start(self, product, *words, before=()):
        return Program(self.name, [*before, self.programs[product], *words])


def built(checkout, product):
    """Builds a product, in release mode unless CAMBIUM_BENCH_BUILD names another; its path."""
    words = ["swift", "build", "-c", os.environ.get("CAMBIUM_BENCH_BUILD", "release")]
    subprocess.run([*words, "--product", product], cwd=checkout, check=True, stdout=sys.stderr)
    folder = subprocess.run([*words, "--show-bin-path"], cwd=checkout, check=True, stdout=subprocess.PIPE, text=True)
    return os.path.join(folder.stdout.strip(), product)


def run(*words, cwd=None, status=0, environment=None):
    """What a program prints; a failure when it ends with another status."""
    words = list(map(str, words))
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    if done.returncode != status:
        raise Failure(f"{' '.join([os.path.basename(words[0]), *words[1:3]])}: {done.stderr.strip()[-500:]}")
    return done.stdout or done.stderr if status else done.stdout


def use_python(peers, install):
    """Goes on in the peers' own virtual environment, made first when that is asked for."""
    wanted, place = os.path.join(PEERS, peers.requirements), os.path.join(ROOT, ".build", peers.place)
    stamp = os.path.join(place, "installed.txt")
    if install and not (os.path.exists(stamp) and open(stamp).read() == open(wanted).read()):
        print(f"installing the peers into {os.path.relpath(place, ROOT)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [f"{place}/bin/python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "-r", wanted], check=True)
        for package in peers.optional: subprocess.run([*pip, package])
        shutil.copyfile(wanted, stamp)
    if os.path.exists(stamp) and os.path.realpath(sys.prefix) != os.path.realpath(place):
        os.execv(f"{place}/bin/python", [f"{place}/bin/python", *sys.argv])


def script(name, *words): return [sys.executable, "-W", "ignore", os.path.join(PEERS, name), *map(str, words)]


def peer(title, name, *words, before=()): return Program(title, [*before, *script(name, *words)])


class Program:
    """A process whose lines are JSON: it says one when it is ready, then one for each line that it is told."""

    def __init__(self, name, words, limit=1800, environment=None, greets=True):
        self.name = name
        self.child = subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, **(environment or {})})
        self.timer = threading.Timer(limit, self.child.kill)
        self.timer.start()
        try: self.ready = self.read("start") if greets else None
        except Failure:
            self.close()
            raise

    def parse(self, line):
        try: return json.loads(line)
        except json.JSONDecodeError: raise Failure(f"{self.name}: not JSON: {line.strip()}")

    def read(self, what):
        line = self.child.stdout.readline()
        if not line: raise Failure(f"{self.name}: '{what}' ended with code {self.child.wait()}")
        return self.parse(line)

    def tell(self, *words):
        with contextlib.suppress(BrokenPipeError): print(*words, file=self.child.stdin, flush=True)

    def ask(self, *words):
        self.tell(*words)
        return self.read(" ".join(map(str, words)))

    def close(self):
        self.timer.cancel()
        with contextlib.suppress(BrokenPipeError): self.child.stdin.close()
        self.child.stdout.close()
        self.child.kill()
        self.child.wait()

    def __enter__(self): return self

    def __exit__(self, *_): self.close()


@contextlib.contextmanager
def peak(child, every=0.002):
    """A list whose element is the most memory of its own that a process had, read at an interval of seconds."""
    most, ended = [0], threading.Event()

    def watch():
        while not ended.wait(every): most[0] = max(most[0], kilobytes(f"/proc/{child.pid}/status", "RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try: yield most
    finally:
        ended.set()
        watcher.join()


@contextlib.contextmanager
def folder(parent, name):
    """An empty folder that goes with the block."""
    path = os.path.join(parent, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    try: yield path
    finally: shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def memory_group(limit):
    """Words in front of a program's that hold it, and the cache of the files it reads, to some bytes (a control group)."""
    old, new = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"
    place, name = (old, "memory.limit_in_bytes") if os.path.isdir(old) else (new, "memory.max")
    group = f"{place}/cambium-bench-{os.getpid()}"
    try:
        os.makedirs(group, exist_ok=True)
        with open(f"{group}/{name}", "w") as file: file.write(str(limit))
    except OSError as error: raise Failure(f"a control group with {limit} bytes cannot be made: {error}")
    try: yield ["/bin/sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', group]
    finally:
        for _ in range(50):
            with contextlib.suppress(OSError):
                os.rmdir(group)
                break
            time.sleep(0.1)


def evict(*paths):
    """Drops files from the page cache; nobody may have them mapped."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fdatasync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
