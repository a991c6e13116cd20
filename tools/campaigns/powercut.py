"""The power fails: what was not synced is kept, lost or torn, and the store is opened again.

The writes of a step are recorded, each with its bytes. At some point of them a disk is built that holds what was
synced until then; of the writes since, each is kept, dropped or cut at a sector, and of the changes of names since the
folder's last sync a beginning is kept (journals keep their order). Then the old state or the new one must be there;
when the step had ended before the cut, the new one.
"""
import os, shutil, struct
from program import faulty
from report import Row
from steps import steps

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


FOLDER = "a folder"


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
    """Files and folders by path, as the process sees them (`names`) and as they are safe (`safe_names`)."""

    def __init__(self, folder):
        self.names, self.changes, self.safe_names = {}, [], {}
        for path, _, files in os.walk(folder):
            self.names[path] = FOLDER
            for name in files:
                with open(f"{path}/{name}", "rb") as file:
                    self.names[f"{path}/{name}"] = Content(file.read())
        self.safe_names = dict(self.names)

    def replay(self, record):
        what, name, other, offset, data, durable = record
        if what in "cm":
            self.names[name] = Content() if what == "c" else FOLDER
            self.changes.append((name, self.names[name]))
        elif what in "wta" and name in self.names:
            change = (what, offset, data)
            # A write that is synced by itself (O_DSYNC) says nothing of those before it.
            if durable:
                put(self.names[name].safe, change)
            self.names[name].pending.append(change)
        elif what == "s":
            if self.names.get(name, FOLDER) is not FOLDER:
                self.names[name].sync()
            else:  # The names in a folder are safe.
                inside = [change for change in self.changes if os.path.dirname(change[0]) == name]
                self.changes = [change for change in self.changes if change not in inside]
                for path, content in inside:
                    rename(self.safe_names, path, content)
        elif what in "rl" and name in self.names:
            # What is in a folder goes with it.
            moved = [path for path in self.names if path == name or path.startswith(name + "/")]
            for path in sorted(moved):
                content = self.names[path] if what == "l" else self.names.pop(path)
                self.names[other + path[len(name):]] = content
            if what == "r":
                self.changes.append((name, None))
            self.changes.append((other, self.names[other]))
            if self.names[other] is FOLDER:
                # Its own names are as safe as they were under the old one.
                inside = [(path, content) for path, content in self.safe_names.items() if path.startswith(name + "/")]
                self.safe_names.update((other + path[len(name):], content) for path, content in inside)
                self.changes = [(other + path[len(name):] if path.startswith(name + "/") else path, content)
                                for path, content in self.changes]
        elif what == "u":
            if self.names.pop(name, None) is not None:
                self.changes.append((name, None))

    def cut(self, source, target, root):
        """Writes what a disk may hold after the power came back."""
        names = dict(self.safe_names)
        for path, content in self.changes[:source.randint(0, len(self.changes))]:
            rename(names, path, content)
        os.makedirs(target)
        chance = source.choice([0.0, 0.5, 0.9])
        for path, content in sorted(names.items()):
            place = target + path[len(root):]
            # What is in a folder whose name is lost is lost.
            if path == root or not os.path.isdir(os.path.dirname(place)):
                continue
            if content is FOLDER:
                os.mkdir(place)
                continue
            data = bytearray(content.safe)
            for change in content.pending:
                if source.random() >= chance:
                    continue
                if change[0] == "w" and source.random() < 0.3:
                    keep = source.randrange(0, len(change[2]) + 1) // SECTOR * SECTOR
                    change = ("w", change[1], change[2][:keep])
                put(data, change)
            with open(place, "wb") as file:
                file.write(data)


def rename(names, path, content):
    if content is None:
        names.pop(path, None)
    else:
        names[path] = content


def cut_lines(plan, history):
    return [(f"{step.name}, the power fails", step) for step in steps(plan)]


def cuts(what, step, history, folder, plan):
    row, place, target, log = Row(plan, "power", what), folder + "/place", folder + "/cut", folder + "/log"
    states = step.states(history, place)
    step.prepared(history, place)
    disk = Disk(place)
    outcome = step.apply(history, place, env=faulty(place, "record", log=log))
    if outcome.code != 0:
        raise SystemExit(f"campaign: recording: {outcome}")
    found = records(log)
    # The first try is after the end.
    points = {turn: plan.source("power", what, turn).randint(0, len(found)) if turn else len(found) for turn in plan.turns}
    done = 0
    for turn, point in sorted(points.items(), key=lambda one: one[1]):
        for record in found[done:point]:
            disk.replay(record)
        done = point
        source = plan.source("cut", what, turn)
        shutil.rmtree(target, ignore_errors=True)
        disk.cut(source, target, place)
        shutil.rmtree(target + "/S/leases", ignore_errors=True)
        if os.path.exists(target + "/S/lock.mdb"):  # LMDB's lock file is made anew by the first who opens.
            os.remove(target + "/S/lock.mdb")
        problems = step.faults(history, target, states[-1:] if point == len(found) else states, source)
        row.tried(problems, turn, f"{what}, after write {point} of {len(found)}")
    os.remove(log)
    return [row]
