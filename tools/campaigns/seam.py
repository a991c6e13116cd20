"""No call that changes the disk escapes the faults: what the kernel saw (strace) against what the library counted."""
import os, re, shutil, subprocess, sys
from program import environment, faulty
import program
from report import Row
from steps import steps

# All of Linux that change a file, a name or what a disk keeps; mmap's shared writable maps are told apart by flags.
CHANGES = """write writev pwrite64 pwritev pwritev2 fsync fdatasync sync syncfs sync_file_range msync ftruncate truncate fallocate
rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat rmdir mkdir mkdirat mknod mknodat creat open openat openat2
fchmod fchmodat fchmodat2 chmod fchown fchownat chown lchown utimensat futimesat utime utimes setxattr lsetxattr fsetxattr removexattr
copy_file_range sendfile splice vmsplice tee io_uring_setup io_submit name_to_handle_at open_by_handle_at mmap""".split()
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")


def seam_lines(plan, history):
    if not shutil.which("strace"):
        print("campaign: the look at system calls needs strace; left out", file=sys.stderr)
        return []
    return [(step.name, step) for step in steps(plan)]


def seen(log, place):
    """The calls of a list by strace that change what is in a place: {name: number}."""
    found, inside = {}, re.compile(re.escape(place) + r"(?=[/\">]|$)")
    with open(log, errors="replace") as file:
        for line in file:
            call = CALL.match(line)
            if not call:
                continue
            name, rest = call[1], call[2]
            # What is written may name the place as well: of a call on an open file its path counts.
            opened = re.match(r"\d+<([^>]*)>", rest)
            if not inside.search(opened[1] if opened else rest):
                continue
            if name in ("open", "openat", "openat2") and not re.search(r"O_CREAT|O_TRUNC", rest):
                continue
            if name == "mmap" and not ("PROT_WRITE" in rest and "MAP_SHARED" in rest):
                continue
            found[name] = found.get(name, 0) + 1
    return found


def compared(what, step, history, folder, plan):
    row, place, log, calls = Row(plan, "seam", what), folder + "/place", folder + "/strace", folder + "/place.calls"
    for path in (log, calls):
        if os.path.exists(path):
            os.remove(path)
    store = step.prepared(history, place)
    words = [word.replace("{f}", history.folder).replace("{p}", place) for word in step.words]
    env = faulty(place, "count", 0, log=calls)
    settings = [word for name, value in env.items() for word in ("-E", f"{name}={value}")]
    known = [f"?{name}" for name in CHANGES]
    subprocess.run(
        ["strace", "-f", "-y", "-s", "4096", "-e", "trace=" + ",".join(known), "-e", "signal=none", "-o", log, *settings,
         program.CAMBIUM, *words, *([] if step.makes_store else ["-C", store])],
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kernel = seen(log, place) if os.path.exists(log) else {}
    # LMDB's lock file is mapped; what is in it means nothing after the power came back.
    kernel.pop("mmap", None)
    counted = os.path.getsize(calls) if os.path.exists(calls) else 0
    total = sum(kernel.values())
    problems = [] if total == counted else [f"the kernel saw {total} calls that change the disk, the faults {counted}: {kernel}"]
    row.tried(problems, 0, what, total > 0)
    row.detail = f" ({total} calls)"
    return [row]
