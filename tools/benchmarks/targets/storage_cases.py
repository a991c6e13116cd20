"""What `storage` measures, in its full and in its quick size; the figures of each case and their targets."""
import dataclasses

from harness.report import at_least, at_most

MILLION, MIB = 1 << 20, 1 << 20


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of the program under test; the fields up to `commits` are its options."""
    name: str
    experts: int
    size: int = 2048
    changes: int | None = None
    rounds: int | None = None
    commits: int | None = None
    time_target: float | None = None   # commit seconds as a share of OCDBT's, at most
    share_target: float | None = None  # commit bytes as a share of the changed bytes, at most
    bytes_target: int | None = None    # commit bytes, at most

    @property
    def pool(self): return self.experts, self.size

    def options(self):
        for name in ("experts", "size", "changes", "rounds", "commits"):
            value = getattr(self, name)
            if value is not None: yield from (f"--{name}", str(value))

    def label(self):
        parts = [f"{short(self.experts)} x {self.size} B"]
        if self.changes: parts.append(f"k = {self.changes:,}")
        return ", ".join(parts)


def short(count):
    for unit, name in ((MILLION, "Mi"), (1_000_000, "M"), (1000, "k")):
        if count >= unit and count % unit == 0: return f"{count // unit}{name}"
    return f"{count:,}"


FULL = [
    Case("commit", 100_000, changes=1000, rounds=15, time_target=0.8, share_target=1.10),
    Case("commit", MILLION, changes=1, rounds=11, time_target=0.25, bytes_target=64 * 1024),
    Case("commit", MILLION, changes=1000, rounds=11, share_target=1.10),
    Case("commit", MILLION, changes=10_000, rounds=5, share_target=1.10),
    Case("series", MILLION, changes=1000, commits=1000),
    Case("import", MILLION, rounds=3),
    Case("export", MILLION, rounds=3),
    Case("open", MILLION, changes=100, commits=1000),
    Case("readers", MILLION, changes=1000, rounds=5),
    Case("diff", MILLION, changes=1000, rounds=11),
    Case("merge", MILLION, changes=10_000, rounds=5),
    Case("collect", MILLION, changes=1000, commits=200),
    Case("compress", 100_000, rounds=3),
    *(Case("growth", count, size=256, changes=1000, rounds=9) for count in (100_000, 1_000_000, 10_000_000)),
]

QUICK = [
    Case("commit", 20_000, changes=200, rounds=5, time_target=0.8, share_target=1.10),
    Case("commit", 40_000, changes=1, rounds=5, time_target=0.25, bytes_target=64 * 1024),
    Case("commit", 40_000, changes=400, rounds=5, share_target=1.10),
    Case("series", 20_000, changes=20, commits=40),
    Case("import", 40_000, rounds=2),
    Case("export", 40_000, rounds=2),
    Case("open", 20_000, changes=20, commits=40),
    Case("readers", 20_000, changes=200, rounds=2),
    Case("diff", 20_000, changes=200, rounds=3),
    Case("merge", 20_000, changes=200, rounds=3),
    Case("collect", 20_000, changes=100, commits=20),
    Case("compress", 10_000, rounds=1),
    *(Case("growth", count, size=256, changes=100, rounds=3) for count in (5_000, 20_000, 80_000)),
]

NAMES = tuple(dict.fromkeys(case.name for case in FULL))


def value_at_most(limit, text): return at_most(limit, "≤ " + text, "value")


def figures(case):
    """(metric, what it is, what it is compared with, target[, mean]) of a case; compared with another of its metrics,
    or with a (name, number)."""
    label, changed, total = case.label(), ("changed", (case.changes or 0) * case.size), ("experts", case.experts * case.size)
    snapshots = f"{case.commits or 0:,} snapshots"
    bulk = [("peak_anon", "anonymous memory, peak", None, value_at_most(300 * MIB, "300 MiB")),
            ("write_bytes", "write_bytes", total, None), ("file_bytes", "file", total, None)]
    share = at_most(case.share_target, f"≤ {case.share_target:.2f} ×") if case.share_target else None
    if case.bytes_target: share = value_at_most(case.bytes_target, f"{case.bytes_target // 1024} KiB")
    return {
        "commit": [("file_growth", f"file growth, {label}", changed, share, "mean"),
                   ("device_bytes", f"device, {label}", changed, share, "mean"),
                   # Not judged: the kernel charges whole folios of up to 2 MB, of which a commit touched one page.
                   ("write_bytes", f"write_bytes, {label}", changed, None)],
        "import": bulk, "export": bulk,
        "open": [("newest_seconds", f"newest of {snapshots}", None, value_at_most(0.010, "10 ms")),
                 ("oldest_seconds", f"oldest of {snapshots}", None, value_at_most(0.010, "10 ms")),
                 ("touched_bytes", "page cache touched", None, value_at_most(4 * MIB, "4 MiB")),
                 ("first_access_ns", "first access to an expert", None, value_at_most(5000, "5 µs")),
                 ("later_access_ns", "later accesses", None, value_at_most(10, "10 ns"))],
        "readers": [("reads_per_second_during", "reads/s of 8 processes during commits",
                     ("alone", "reads_per_second_alone"), at_least(0.9, "≥ 0.9 ×")),
                    ("failures", "failed reads", None, value_at_most(0, "0")),
                    ("file_growth", "file growth, readers open", ("the same commits, no readers", "file_growth_alone"),
                     at_most(1.05, "≤ 1.05 ×"), "mean"),
                    ("file_growth", "file growth, readers open", ("changed", "payload_bytes"), None, "mean")],
        "diff": [("seconds", label, None, value_at_most(0.020, "20 ms"))],
        "merge": [("seconds", "two sides, each " + label, None, value_at_most(0.5, "0.5 s"))],
        "collect": [("mark_seconds", f"mark, {case.commits} snapshots", None, value_at_most(2, "2 s")),
                    ("prune_seconds", "prune", None, None),
                    ("returned_bytes", "returned to later commits", ("reclaimable", "reclaimable_bytes"),
                     at_least(0.95, "≥ 0.95 ×"))],
        "growth": [(metric + "_seconds", f"{metric}, {label}", None, None) for metric in ("commit", "diff", "open", "verify")],
    }.get(case.name, [])


def ratio_goal(metric):
    """Of the sizes of compressed packs."""
    limits = (("successive", 0.60), ("delta", 0.60), ("version", 0.60), ("bf16", 0.72), ("fp32", 0.87))
    limit = next((limit for word, limit in limits if word in metric), None) if metric.startswith("ratio") else None
    return value_at_most(limit, f"{limit * 100:.0f} % of raw") if limit else None
