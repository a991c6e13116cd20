"""The rows of each case and their targets."""
import statistics

from storage_records import Records, missing, row

MIB = 1 << 20
PEERS = ("ocdbt", "ocdbt-64k", "lmdb", "safetensors")


def rows(records, cases, judged, expected):
    """The rows of all cases; `judged`: the sizes are those of the targets."""
    found, answer = Records(records, expected), []
    for case in cases:
        builder = globals().get(f"rows_{case.name}")
        if builder: answer += builder(found, case, judged)
    return answer


def at_most(limit, text): return ("<=", limit, "≤ " + text)


def at_least(limit, text): return (">=", limit, "≥ " + text)


def median(values): return statistics.median(values) if values else None


def maker(found, case, judged):
    """A function that makes cambium's row of one metric, or nothing when it was not measured."""
    def make(metric, what, against=None, target=None, of="ratio", center="median", values=None):
        values = found.values("cambium", case.name, metric, case) if values is None else values
        if not values: return [missing(case.name, what, target)] if target and found.expected else []
        unit = found.unit("cambium", case.name, metric)
        return [row("cambium", case.name, what, values, unit, against, target, of, center, judged)]
    return make


def rows_commit(found, case, judged):
    make, label = maker(found, case, judged), case.label()
    payload = ("changed", case.changes * case.size)
    share = at_most(case.share_target, f"{case.share_target:.2f} ×") if case.share_target else None
    target, of = share, "ratio"
    if case.bytes_target: target, of = at_most(case.bytes_target, f"{case.bytes_target // 1024} KiB"), "value"
    answer = []
    for peer in ("ocdbt", "ocdbt-64k"):
        seconds = median(found.values(peer, "commit", "seconds", case))
        goal = at_most(case.time_target, f"{case.time_target} ×") if case.time_target and peer == "ocdbt" else None
        if goal or seconds: answer += make("seconds", f"time, {label}", (peer, seconds), goal)
    floor = found.values("floor", "commit", "seconds", case)
    answer += make("seconds", f"time, {label}", ("write + fsync", median(floor)))
    answer += make("file_growth", f"file growth, {label}", payload, target, of, "mean")
    answer += make("device_bytes", f"device, {label}", payload, target, of, "mean")
    # Not judged: the kernel charges whole folios of up to 2 MB, of which a commit touched one page.
    answer += make("write_bytes", f"write_bytes, {label}", payload)
    for peer in PEERS:
        for metric, what, unit in (("seconds", "time", "s"), ("file_growth", "file growth", "bytes"),
                                   ("write_bytes", "write_bytes", "bytes")):
            values = found.values(peer, "commit", metric, case)
            against = ("write + fsync", median(floor)) if unit == "s" else payload
            if values:
                answer.append(row(peer, "commit", f"{what}, {label}", values, unit, against,
                                         center="median" if unit == "s" else "mean"))
    return answer


def rows_series(found, case, judged):
    make, answer, last = maker(found, case, judged), [], case.commits
    goal = at_most(1.5, "1.5 ×")
    for metric, what in (("seconds", "commit time"), ("file_growth", "file growth"),
                         ("write_bytes", "write_bytes")):
        values = found.values("cambium", "series", metric, case)
        if len(values) < 20:
            answer += make(metric, f"{what}, last 10 of {last:,}", None, goal, values=[])
            continue
        answer += make(metric, f"{what}, last 10 of {last:,}", ("commits 6 to 15", median(values[5:15])),
                       goal, values=values[-10:])
        tenth = max(10, len(values) // 10)
        answer += make(metric, f"{what}, last {tenth} of {last:,}",
                       (f"first {tenth}", statistics.mean(values[:tenth])), goal, center="mean",
                       values=values[-tenth:])
    for metric, what in (("log_seconds", "log"), ("open_seconds", "open")):
        values = found.values("cambium", "series", metric, case)
        half = len(values) // 2
        answer += make(metric, f"{what} after {last:,}", ("after 10", median(values[:half])), goal,
                       values=values[half:] if half else [])
    return answer


def bulk(found, case, judged):
    make, label = maker(found, case, judged), case.label()
    write = median(found.values("floor", "bulk", "write_seconds", case)) or 0
    hashed = median(found.values("floor", "bulk", "hash_seconds", case)) or 0
    slower = ("write + fsync", write) if write >= hashed else ("SHA-256, all cores", hashed)
    answer = make("seconds", f"time, {label}", slower, at_most(1.5, "1.5 ×"))
    answer += make("peak_anon", "anonymous memory, peak", None, at_most(300 * MIB, "300 MiB"), "value")
    total = ("experts", case.experts * case.size)
    answer += make("write_bytes", "write_bytes", total)
    return answer + make("file_bytes", "file", total)


def rows_import(found, case, judged):
    answer, label = bulk(found, case, judged), case.label()
    write = median(found.values("floor", "bulk", "write_seconds", case))
    for peer in PEERS:
        values = found.values(peer, "import", "seconds", case)
        if values: answer.append(row(peer, "import", f"time, {label}", values, "s",
                                            ("write + fsync", write)))
        values = found.values(peer, "import", "file_bytes", case)
        if values: answer.append(row(peer, "import", "file", values, "bytes",
                                            ("experts", case.experts * case.size)))
    for metric, what in (("write_seconds", "write + fsync"), ("hash_seconds", "SHA-256, all cores, 1 MiB pieces")):
        values = found.values("floor", "bulk", metric, case)
        if values: answer.append(row("floor", "import", f"{what}, {label}", values, "s"))
    return answer


rows_export = bulk


def rows_open(found, case, judged):
    make, label = maker(found, case, judged), f"{case.commits:,} snapshots"
    answer = make("newest_seconds", f"newest of {label}", None, at_most(0.010, "10 ms"), "value")
    answer += make("oldest_seconds", f"oldest of {label}", None, at_most(0.010, "10 ms"), "value")
    answer += make("touched_bytes", "page cache touched", None, at_most(4 * MIB, "4 MiB"), "value")
    answer += make("first_access_ns", "first access to an expert", None, at_most(5000, "5 µs"), "value")
    answer += make("later_access_ns", "later accesses", None, at_most(10, "10 ns"), "value")
    for by in (*PEERS, "floor"):
        what = "map, 2 KiB copied, with Python" if by == "floor" else "read one, through Python"
        values = found.values(by, "bulk" if by == "floor" else "read", "read_ns")
        if values: answer.append(row(by, "open", what, values, "ns"))
    return answer


def rows_readers(found, case, judged):
    make = maker(found, case, judged)
    alone = median(found.values("cambium", "readers", "reads_per_second_alone", case))
    answer = make("reads_per_second_during", "reads/s of 8 processes during commits", ("alone", alone),
                  at_least(0.9, "0.9 ×"))
    answer += make("failures", "failed reads", None, at_most(0, "0"), "value")
    for what, metric, goal in (("the same commits, no readers", "file_growth_alone", at_most(1.05, "1.05 ×")),
                               ("changed", "payload_bytes", None)):
        base = found.values("cambium", "readers", metric, case)
        answer += make("file_growth", "file growth, readers open",
                       (what, statistics.mean(base) if base else None), goal, center="mean")
    return answer


def rows_diff(found, case, judged):
    return maker(found, case, judged)("seconds", case.label(), None, at_most(0.020, "20 ms"), "value")


def rows_merge(found, case, judged):
    return maker(found, case, judged)("seconds", "two sides, each " + case.label(), None,
                                      at_most(0.5, "0.5 s"), "value")


def rows_collect(found, case, judged):
    make = maker(found, case, judged)
    reclaimable = median(found.values("cambium", "collect", "reclaimable_bytes", case))
    before = median(found.values("cambium", "collect", "file_before", case))
    answer = make("mark_seconds", f"mark, {case.commits} snapshots", None, at_most(2, "2 s"), "value")
    answer += make("prune_seconds", "prune")
    answer += make("returned_bytes", "returned to later commits", ("reclaimable", reclaimable),
                   at_least(0.95, "0.95 ×"))
    answer += make("repack_seconds", "repack")
    return answer + make("file_after", "file after repack", ("before", before))


def rows_compress(found, case, judged):
    make, answer = maker(found, case, judged), []
    names = found.metrics("cambium", "compress")
    if not names: answer += make("ratio", "ratios", None, at_most(0.72, "72 % of raw"), "value")
    for metric in names:
        goal = None
        if metric.startswith("ratio"):
            limits = (("successive", 0.60), ("delta", 0.60), ("version", 0.60), ("bf16", 0.72), ("fp32", 0.87))
            limit = next((limit for word, limit in limits if word in metric), None)
            goal = at_most(limit, f"{limit * 100:.0f} % of raw") if limit else None
        answer += make(metric, metric.replace("_", " "), None, goal, "value")
    return answer
