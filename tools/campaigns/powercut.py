"""The power fails: what was not synced is kept, lost or torn, and the store is opened again.

The writes of a step are recorded, each with its bytes. At some point of them a disk is built that holds what was
synced until then; of the writes since, each is kept, dropped or cut at a sector, and of the changes of names since the
folder's last sync a beginning is kept (journals keep their order). Then the old state or the new one must be there;
when the step had ended before the cut, the new one.
"""
import os, random, shutil, struct
from program import faulty
from report import Row
from steps import LARGE, STEPS, apply, faults_of, prepared, states_of

HEAD = struct.Struct("<BBHHHQQ")
SECTOR = 512


def records(path):
    """What the process asked of the disk: (what, path, other path, offset, bytes or length, durable)."""
    with open(path, "rb") as file:
        log = file.read()
    at, found = 0, []
    while at < len(log):
        what, flags, first, second, _, offset, length = HEAD.unpack_from(log, at)
        at += HEAD.size
        name = log[at:at + first].decode()
        other = log[at + first:at + first + second].decode()
        at += first + second
        data = b""
        if chr(what) == "w":
            data = log[at:at + length]
            at += length
        found.append((chr(what), name, other, offset, data, bool(flags)))
    return found


class Content:
    """One file: the bytes that are safe, and the changes since."""

    def __init__(self, safe=b""):
        self.safe, self.pending = bytearray(safe), []

    def sync(self):
        for change in self.pending:
            put(self.safe, change)
        self.pending = []


def put(data, change):
    kind, offset, content = change
    if kind == "w":
        if len(data) < offset:
            data.extend(bytes(offset - len(data)))
        data[offset:offset + len(content)] = content
    elif kind == "a":
        data.extend(bytes(max(0, offset - len(data))))
    else:
        del data[offset:]
        data.extend(bytes(max(0, offset - len(data))))


class Disk:
    """Files by path, as the process sees them (`names`) and as they are safe (`safe_names`)."""

    def __init__(self, folder):
        self.names, self.changes, self.safe_names = {}, [], {}
        for path, _, files in os.walk(folder):
            for name in files:
                with open(f"{path}/{name}", "rb") as file:
                    self.names[f"{path}/{name}"] = Content(file.read())
        self.safe_names = dict(self.names)

    def replay(self, record):
        what, name, other, offset, data, durable = record
        if what == "c":
            self.names[name] = Content()
            self.changes.append((name, self.names[name]))
        elif what in "wta" and name in self.names:
            change = (what, offset, data)
            # A write that is synced by itself (O_DSYNC) says nothing of those before it.
            if durable:
                put(self.names[name].safe, change)
            self.names[name].pending.append(change)
        elif what == "s":
            if name in self.names:
                self.names[name].sync()
            else:  # A folder: the names in it are safe.
                inside = [change for change in self.changes if os.path.dirname(change[0]) == name]
                self.changes = [change for change in self.changes if change not in inside]
                for path, content in inside:
                    rename(self.safe_names, path, content)
        elif what == "r":
            content = self.names.pop(name, None)
            if content is not None:
                self.names[other] = content
                self.changes += [(name, None), (other, content)]
        elif what == "u":
            if self.names.pop(name, None) is not None:
                self.changes.append((name, None))

    def cut(self, source, target, root):
        """Writes what a disk may hold after the power came back."""
        names = dict(self.safe_names)
        for path, content in self.changes[:source.randint(0, len(self.changes))]:
            rename(names, path, content)
        chance = source.choice([0.0, 0.5, 0.9])
        for path, content in names.items():
            data = bytearray(content.safe)
            for change in content.pending:
                if source.random() >= chance:
                    continue
                if change[0] == "w" and source.random() < 0.3:
                    keep = source.randrange(0, len(change[2]) + 1) // SECTOR * SECTOR
                    change = ("w", change[1], change[2][:keep])
                put(data, change)
            place = target + path[len(root):]
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as file:
                file.write(data)


def rename(names, path, content):
    if content is None:
        names.pop(path, None)
    else:
        names[path] = content


def cuts(history, folder, most, seed, large):
    rows = []
    for step in STEPS + ([LARGE] if large else []):
        source, row = random.Random(f"{seed} power {step[0]}"), Row("power", f"{step[0]}, the power fails")
        states = states_of(step, history, folder)
        store, log = folder + "/S", folder + "/log"
        if os.path.exists(log):
            os.remove(log)
        prepared(step, history, store)
        disk = Disk(store)
        outcome = apply(step, history, store, env=faulty(store, "record", log=log))
        if outcome.code != 0:
            raise SystemExit(f"campaign: recording: {outcome}")
        found = records(log)
        points = sorted(source.choices(range(len(found) + 1), k=most - 1) + [len(found)])
        done = 0
        for point in points:
            for record in found[done:point]:
                disk.replay(record)
            done = point
            target = folder + "/cut"
            shutil.rmtree(target, ignore_errors=True)
            os.makedirs(target)
            disk.cut(source, target, store)
            shutil.rmtree(target + "/leases", ignore_errors=True)
            for name in ("lock.mdb",):  # LMDB's lock file is made anew by the first who opens.
                if os.path.exists(f"{target}/{name}"):
                    os.remove(f"{target}/{name}")
            where = f"{step[0]}, after write {point} of {len(found)}"
            if not os.path.exists(target + "/data.mdb"):
                # The naming of a new store (renameat2) is not among the calls that are recorded.
                row.tried([] if step[0] == "init" else ["there is no data.mdb"], where)
                continue
            allowed = states[1:] if point == len(found) else states
            row.tried(faults_of(target, history, allowed, source), where)
        rows.append(row)
    return rows
