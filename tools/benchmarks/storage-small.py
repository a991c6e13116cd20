"""Three versions of a small model: seconds, bytes on disk and experts reused, beside plain copies.

Peers in the same run: copies of the files with fsync, and git-LFS where it is installed. Every
method gives its files back and they are compared byte for byte before anything is timed.

    tools/bench storage-small [--checkpoints DIR] [--rounds N] [--json]
"""
import argparse, filecmp, json, os, platform, shutil, statistics, subprocess, sys, tempfile, time

BASE, BRANCHES = "base", ("branch-swahili", "branch-metamath")


def run(*command, cwd=None):
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def size(path):
    """Bytes that the files occupy on disk, links not followed."""
    total = 0
    for folder, _, names in os.walk(path):
        total += sum(os.lstat(os.path.join(folder, name)).st_blocks * 512 for name in names)
    return total


def timed(action):
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


class Cambium:
    name = "cambium"

    def __init__(self, work):
        self.store, self.program = f"{work}/S", os.environ["CAMBIUM"]
        self.call("init", self.store)
        self.reused = {}

    def call(self, *words): return run(self.program, *words, "--store", self.store, "--json") \
        if words[0] != "init" else run(self.program, *words)

    def commit(self, folder, version):
        words = ["commit", folder, "-m", version]
        if version != BASE: words += ["--branch", version]
        result = json.loads(self.call(*words))
        self.reused[version] = 1 - result["newExperts"] / result["experts"]

    def restore(self, version, out):
        self.call("export", "main" if version == BASE else version, out)


class Copies:
    name = "copies + fsync"

    def __init__(self, work): self.work, self.reused = f"{work}/copies", {}

    def commit(self, folder, version):
        target = f"{self.work}/{version}"
        os.makedirs(target)
        for name in ("model.safetensors", "config.json"):
            shutil.copyfile(f"{folder}/{name}", f"{target}/{name}")
            with open(f"{target}/{name}", "rb+") as file: os.fsync(file.fileno())

    def restore(self, version, out): shutil.copytree(f"{self.work}/{version}", out)


class GitLFS:
    name = "git-LFS"

    def __init__(self, work):
        self.work, self.reused = f"{work}/lfs", {}
        os.makedirs(self.work)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "bench"), self.git("config", "user.email", "bench@localhost")
        self.git("lfs", "install", "--local"), self.git("lfs", "track", "*.safetensors")
        self.git("add", ".gitattributes"), self.git("commit", "-qm", "track")

    def git(self, *words): return run("git", *words, cwd=self.work)

    def commit(self, folder, version):
        if version != BASE: self.git("checkout", "-q", "-b", version, "main")
        for name in ("model.safetensors", "config.json"):
            shutil.copyfile(f"{folder}/{name}", f"{self.work}/{name}")
        self.git("add", "-A"), self.git("commit", "-qm", version)

    def restore(self, version, out):
        self.git("checkout", "-q", "main" if version == BASE else version)
        os.makedirs(out)
        for name in ("model.safetensors", "config.json"):
            shutil.copyfile(f"{self.work}/{name}", f"{out}/{name}")


def measure(method, checkpoints, rounds):
    seconds, bytes_added, reused = {}, {}, {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="cambium-bench-") as work:
            peer, before = method(work), size(work)
            for version in (BASE, *BRANCHES):
                spent, _ = timed(lambda: peer.commit(f"{checkpoints}/{version}", version))
                after = size(work)
                seconds.setdefault(version, []).append(spent)
                bytes_added[version], before = after - before, after
            for version in (BASE, *BRANCHES):
                out = f"{work}/out-{version}"
                peer.restore(version, out)
                for name in ("model.safetensors", "config.json"):
                    if not filecmp.cmp(f"{out}/{name}", f"{checkpoints}/{version}/{name}", False):
                        sys.exit(f"{peer.name} does not give back {version}/{name}")
            reused = peer.reused
    return {"method": method.name, "versions": [
        {"version": v, "median_seconds": statistics.median(seconds[v]),
         "spread_seconds": [min(seconds[v]), max(seconds[v])], "bytes_added": bytes_added[v],
         "share_reused": reused.get(v)} for v in (BASE, *BRANCHES)]}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    shared = os.path.join(here, "../../../shared/checkpoints/peer-lm")
    sample = os.path.join(here, "../sample")
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoints", default=shared if os.path.isdir(shared) else sample,
                        help="a folder with base, branch-swahili and branch-metamath")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    methods = [Cambium, Copies]
    if shutil.which("git-lfs"): methods.append(GitLFS)
    results = [measure(method, args.checkpoints, args.rounds) for method in methods]
    if args.json:
        return print(json.dumps({"schema": 1, "benchmark": "storage-small", "results": results}))
    weight = os.path.getsize(f"{args.checkpoints}/{BASE}/model.safetensors")
    print(f"model.safetensors: {weight:,} bytes each; {args.rounds} rounds, fresh store each; "
          f"{platform.machine()}, {os.cpu_count()} CPUs\n")
    print(f"{'method':<16}{'version':<18}{'seconds (min-max)':>24}{'MB added':>10}{'of the file':>13}{'experts reused':>16}")
    for result in results:
        for v in result["versions"]:
            low, high = v["spread_seconds"]
            share = "" if v["share_reused"] is None else f"{v['share_reused']:.1%}"
            print(f"{result['method']:<16}{v['version']:<18}"
                  f"{v['median_seconds']:>9.3f} ({low:.3f}-{high:.3f}){v['bytes_added'] / 1e6:>10.2f}"
                  f"{v['bytes_added'] / weight:>12.1%}{share:>16}")
    if len(methods) == 2: print("\ngit-LFS is not installed, so it is not measured (Debian: git-lfs)")
    first = results[0]["versions"]
    for result in results[1:]:
        ratios = [b["median_seconds"] / a["median_seconds"] for a, b in zip(first, result["versions"])]
        sizes = [b["bytes_added"] / a["bytes_added"] for a, b in zip(first, result["versions"])]
        print(f"{result['method']} / cambium: seconds " + ", ".join(f"{r:.2f}" for r in ratios)
              + "; bytes " + ", ".join(f"{r:.2f}" for r in sizes))
    print("\nrepeat with: tools/bench storage-small --rounds", args.rounds)


if __name__ == "__main__":
    main()
