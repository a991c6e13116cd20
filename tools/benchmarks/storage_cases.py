"""What `storage` measures, in its full and in its quick size, and the targets of each commit."""
import dataclasses

MILLION = 1 << 20


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
    Case("growth", 100_000, size=256, changes=1000, rounds=9),
    Case("growth", 1_000_000, size=256, changes=1000, rounds=9),
    Case("growth", 10_000_000, size=256, changes=1000, rounds=9),
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
    Case("growth", 5_000, size=256, changes=100, rounds=3),
    Case("growth", 20_000, size=256, changes=100, rounds=3),
    Case("growth", 80_000, size=256, changes=100, rounds=3),
]

NAMES = list(dict.fromkeys(case.name for case in FULL))
