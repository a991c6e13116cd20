"""The peers' own virtual environments, and programs that answer one line with one line."""
import contextlib, json, os, shutil, subprocess, sys, threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Failure(Exception):
    """A wrong answer, or a program that did not end well."""


def use_python(install, requirements="requirements.txt", name="bench-python"):
    """Goes on in the peers' own virtual environment, made first when that is asked for."""
    wanted = os.path.join(HERE, "peers", requirements)
    place = os.path.join(ROOT, ".build", name)
    stamp = os.path.join(place, "installed.txt")
    if install and not (os.path.exists(stamp) and open(stamp).read() == open(wanted).read()):
        print(f"installing the peers into {os.path.relpath(place, ROOT)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [f"{place}/bin/python", "-m", "pip", "install", "--quiet", "-r", wanted]
        subprocess.run(pip, check=True)
        shutil.copyfile(wanted, stamp)
    if os.path.exists(stamp) and os.path.realpath(sys.prefix) != os.path.realpath(place):
        os.execv(f"{place}/bin/python", [f"{place}/bin/python", *sys.argv])


class Program:
    """A process that says one line when it is ready, then answers each line; all lines are JSON."""

    def __init__(self, name, words, limit=1800, environment=None):
        self.name = name
        self.child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, **(environment or {})})
        self.timer = threading.Timer(limit, self.child.kill)
        self.timer.start()
        try: self.ready = self.read("start")
        except Failure:
            self.close()
            raise

    def read(self, what):
        line = self.child.stdout.readline()
        if not line: raise Failure(f"{self.name}: '{what}' ended with code {self.child.wait()}")
        try: return json.loads(line)
        except json.JSONDecodeError: raise Failure(f"{self.name}: not JSON: {line.strip()}")

    def ask(self, *words):
        command = " ".join(str(word) for word in words)
        with contextlib.suppress(BrokenPipeError): print(command, file=self.child.stdin, flush=True)
        return self.read(command)

    def close(self):
        self.timer.cancel()
        with contextlib.suppress(BrokenPipeError): self.child.stdin.close()
        self.child.stdout.close()
        self.child.kill()
        self.child.wait()

    def __enter__(self): return self

    def __exit__(self, *_): self.close()
