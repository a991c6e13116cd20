"""Runs the program under test, and says how it ended."""
import glob, json, os, signal, subprocess, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
CAMBIUM = os.environ.get("CAMBIUM", "")
# Bounds one command; what takes longer hangs.
LIMIT = float(os.environ.get("CAMPAIGN_LIMIT", "60"))
# Variables that plant a fault in whatever runs with the faults of system calls (--self-test).
PLANTED = {}


class Outcome:
    """What a command printed and how it ended: `code` is its exit code, negative for a signal, None for a hang."""

    def __init__(self, words, code, out, err):
        self.words, self.code, self.out, self.err = words, code, out, err

    @property
    def trapped(self):
        """Whether it hung or a signal ended it that nobody sent (Swift's traps are SIGILL and SIGTRAP)."""
        return self.code is None or self.code < 0 or self.code > 128

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        how = "hangs" if self.code is None else f"exit {self.code}"
        return f"{' '.join(map(str, self.words))}: {how}: {(self.err or self.out).strip()[-300:]}"


def environment(**more):
    """Repeatable: no user's settings, one author, one time, so that ids repeat too."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CAMBIUM")}
    return {**kept, "CAMBIUM_AUTHOR": "campaign", "SOURCE_DATE_EPOCH": "1790000000", "NO_COLOR": "1", **PLANTED, **more}


def run(*words, store=None, env=None, limit=None, before=None):
    """Runs `cambium WORDS…` on a store and waits for its end, at most `limit` seconds."""
    words = [str(word) for word in words]
    command = [CAMBIUM, *words] + (["-C", store] if store else [])
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(**(env or {})), start_new_session=True, preexec_fn=before)
    try:
        out, err = process.communicate(timeout=limit or LIMIT)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        code = None
    return Outcome(words, code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def must(*words, **options):
    """Runs a command that has to succeed."""
    outcome = run(*words, **options)
    if outcome.code != 0:
        raise SystemExit(f"campaign: a step of the preparation failed: {outcome}")
    return outcome


_shim = None


def shim():
    """Compiles the faults once; the path of the library."""
    global _shim
    if _shim is None:
        folder = tempfile.mkdtemp(prefix="campaign-shim-")
        _shim = os.path.join(folder, "fault.so")
        compiler = next((c for c in ("clang", "gcc", "cc") if _which(c)), None)
        if compiler is None:
            raise SystemExit("campaign: needs a C compiler (clang, gcc) for the faults in system calls")
        target = os.path.join(HERE, "../../Tests/CFaults")
        sources = glob.glob(os.path.join(target, "*.c"))
        subprocess.run([compiler, "-O1", "-Wall", "-shared", "-fPIC", "-I", os.path.join(target, "include"), "-o", _shim,
                        *sources, "-ldl"], check=True)
    return _shim


def _which(name):
    return any(os.access(os.path.join(p, name), os.X_OK) for p in os.environ["PATH"].split(":"))


def faulty(root, mode, at=0, number=5, log=None):
    """The environment of a command whose system calls on files below `root` meet a fault."""
    env = {"LD_PRELOAD": shim(), "FAULT_ROOT": root, "FAULT_MODE": mode, "FAULT_AT": str(at), "FAULT_ERRNO": str(number)}
    if log:
        env["FAULT_LOG"] = log
    return env


class Clock:
    """A budget of seconds, shared out among parts."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    @property
    def is_over(self):
        return time.monotonic() >= self.end
