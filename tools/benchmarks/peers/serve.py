"""One peer in a process of its own; the benchmark tells it on stdin what to do next.

    serve.py PEER --dir DIR --experts N --size BYTES
    stdin:  import | commit K | check [COUNT] | read COUNT      one line of JSON answers each

Data is made before the clock starts. A wrong answer ends the process with exit code 1.
"""
import argparse, json, os, random, sys, time

import numpy as np

import data
from stores import STORES


def disk(folder):
    """(bytes the files occupy, sum of their lengths)"""
    names = [os.path.join(f, n) for f, _, ns in os.walk(folder) for n in ns]
    states = [os.lstat(name) for name in names]
    return sum(s.st_blocks * 512 for s in states), sum(s.st_size for s in states)


def status(path, key):
    with open(f"/proc/self/{path}") as file:
        for line in file:
            if line.startswith(key): return int(line.split()[1])
    return 0


class Server:
    def __init__(self, peer, folder, count, size):
        self.folder, self.count, self.size, self.round = folder, count, size, 0
        self.versions = np.zeros(count, dtype=np.uint32)
        os.makedirs(folder)
        self.store = STORES[peer](folder, count, size)

    def timed_commit(self, ids, version):
        rows = [row.tobytes() for first, last in data.blocks(len(ids))
                for row in data.experts(ids[first:last], version, self.size)]
        if hasattr(self.store, "prepare"): self.store.prepare(ids, rows, version)
        before, written = disk(self.folder), status("io", "write_bytes")
        start = time.perf_counter()
        self.store.commit(ids, rows, version)
        seconds = time.perf_counter() - start
        after = disk(self.folder)
        answer = {"seconds": seconds, "write_bytes": status("io", "write_bytes") - written,
                  "file_growth": after[0] - before[0], "length_growth": after[1] - before[1],
                  "payload_bytes": len(ids) * self.size}
        if hasattr(self.store, "finish"): self.store.finish()
        self.versions[np.asarray(ids)] = version
        return answer

    def load(self):
        answer = self.timed_commit(range(self.count), 0)
        answer["file_bytes"] = answer.pop("file_growth")
        return answer

    def commit(self, changes):
        self.round += 1
        return self.timed_commit(data.changed(self.round, int(changes), self.count), self.round)

    def compare(self, ids):
        expected = data.experts(ids, self.versions[np.asarray(ids)], self.size)
        for number, row, answer in zip(ids, expected, self.store.read_many(ids)):
            if row.tobytes() != bytes(answer): sys.exit(f"expert {number} is not what was stored")

    def check(self, count=None):
        """Every expert, or those changed last and some others."""
        start, total = time.perf_counter(), self.count
        if count is None:
            for first, last in data.blocks(total): self.compare(range(first, last))
        else:
            total = min(int(count), self.count)
            newest = np.argsort(self.versions, kind="stable")[::-1][:total].tolist()
            chosen = newest + random.Random(1).sample(range(self.count), total)
            for first, last in data.blocks(len(chosen)): self.compare(chosen[first:last])
        return {"checked": self.count if count is None else len(chosen),
                "check_seconds": time.perf_counter() - start}

    def read(self, count):
        ids = random.Random(2).choices(range(self.count), k=int(count))
        expected = [row.tobytes() for row in data.experts(ids, self.versions[ids], self.size)]
        self.store.begin_reads()
        for number in ids[:len(ids) // 10]: self.store.read(number)
        start = time.perf_counter()
        answers = [bytes(self.store.read(number)) for number in ids]
        seconds = time.perf_counter() - start
        if answers != expected: sys.exit("a random read is not what was stored")
        return {"read_ns": seconds / len(ids) * 1e9}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=STORES)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--experts", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    args = parser.parse_args()
    server = Server(args.peer, args.dir, args.experts, args.size)
    actions = {"import": server.load, "commit": server.commit, "check": server.check,
               "read": server.read}
    for line in sys.stdin:
        name, *words = line.split()
        print(json.dumps(actions[name](*words)), flush=True)


if __name__ == "__main__":
    main()
