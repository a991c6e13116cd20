"""Floors of the same machine in the same run: write with fsync, SHA-256 on all cores, mapped reads."""
import concurrent.futures, hashlib, mmap, os, random, time

PIECE = 1 << 20
BLOCK = 64 * PIECE


def timed(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def write(path, count, block=None):
    """Seconds to write count bytes that do not compress to a new file, fsync of it included."""
    block = block or os.urandom(min(BLOCK, count))

    def action():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        left = count
        while left:
            left -= os.write(descriptor, memoryview(block)[:min(left, len(block), 8 * PIECE)])
        os.fsync(descriptor)
        os.close(descriptor)

    if os.path.exists(path): os.remove(path)
    return timed(action)


def hashing(count):
    """Seconds for SHA-256 of count bytes on all cores, in pieces of 1 MiB.

    An expert of 2 KiB costs more per byte than a piece of 1 MiB, so this is a floor from below:
    Python would spend more time per small piece on itself than on the hash.
    """
    cores = os.cpu_count() or 1
    block = memoryview(os.urandom(min(BLOCK, count)))

    def work(pieces):
        for piece in pieces:
            start = piece * PIECE % len(block)
            hashlib.sha256(block[start:start + PIECE]).digest()

    pieces = -(-count // PIECE)
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        return timed(lambda: list(pool.map(work, (range(c, pieces, cores) for c in range(cores)))))


def mapped_reads(path, size, reads=200_000):
    """Nanoseconds per random read of size bytes from the mapped file, warm; Python's share included."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
        slots = len(view) // size
        offsets = [slot * size for slot in random.Random(3).choices(range(slots), k=reads)]
        for offset in offsets: view[offset]

        def action():
            for offset in offsets: view[offset:offset + size]

        return timed(action) / reads * 1e9


def bulk(folder, experts, size, rounds):
    """The floors of a bulk import or export: values by what is measured."""
    total, path, block = experts * size, os.path.join(folder, "floor"), os.urandom(BLOCK)
    found = {"write": [], "hash": [], "read_ns": []}
    for _ in range(rounds):
        found["write"].append(write(path, total, block))
        found["hash"].append(hashing(total))
        found["read_ns"].append(mapped_reads(path, size))
    os.remove(path)
    return found


def commit(folder, case):
    """The floor of one commit: its changed bytes, written with fsync."""
    path = os.path.join(folder, "floor")
    values = [write(path, case.changes * case.size) for _ in range(case.rounds)]
    os.remove(path)
    return values
