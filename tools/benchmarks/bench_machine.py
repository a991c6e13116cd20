"""The machine in a few words for the head of a table, and what tables are made of."""
import json, os, platform, sys


def field(path, key):
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(key): return line.split(":", 1)[1].strip()
    except OSError: pass
    return None


def file_system(path):
    """The type of the file system that holds the path."""
    best, kind = "", "unknown"
    real = os.path.realpath(path)
    try:
        with open("/proc/self/mounts") as file: mounts = [line.split()[1:3] for line in file]
    except OSError: return kind
    for point, name in mounts:
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best): best, kind = point, name
    return kind


def free_memory():
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable"): return int(line.split()[1]) * 1024
    return 0


def describe(folder):
    memory = field("/proc/meminfo", "MemTotal")
    return {"cpu": field("/proc/cpuinfo", "model name") or platform.machine(),
            "cores": os.cpu_count(), "kernel": f"{platform.system()} {platform.release()}",
            "memory_bytes": int(memory.split()[0]) * 1024 if memory else None,
            "file_system": file_system(folder), "python": platform.python_version(),
            "load_before": os.getloadavg()}


def headline(report):
    m = report["machine"]
    return (f"\n{m['cpu']}, {m['cores']} cores, {(m['memory_bytes'] or 0) / 2**30:.0f} GiB, {m['kernel']}, "
            f"{m['file_system']}; load {m['load_before'][0]:.1f} before, {m['load_after'][0]:.1f} after; "
            f"{report['mode']} run of {report['seconds']:.0f} s\n")


def print_table(head, lines):
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    for number, line in enumerate([head, *lines]):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
        if number == 0: print("| " + " | ".join("-" * width for width in widths) + " |")


def human(value, unit):
    if value is None: return ""
    if unit in ("s", "us", "ns"):
        seconds = value * {"s": 1, "us": 1e-6, "ns": 1e-9}[unit]
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
            if abs(seconds * factor) >= 1: return f"{seconds * factor:.3g} {name}"
        return f"{seconds * 1e9:.3g} ns"
    if unit == "bytes":
        for factor, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if abs(value) >= factor: return f"{value / factor:.4g} {name}"
        return f"{value:.0f} B"
    if unit == "ratio": return f"{value:.3f}"
    if unit == "share": return f"{value:.4g}"
    if "/s" in unit: return f"{value:,.4g} {unit}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cells(r):
    spread = "" if r["count"] < 2 else f"{human(r['low'], r['unit'])} – {human(r['high'], r['unit'])}"
    against = "" if not r["against"] else r["against"] + (
        f" {human(r['against_value'], r['unit'])}" if r["against_value"] is not None else "")
    ratio = "" if r["ratio"] is None else f"{r['ratio']:,.0f}" if r["ratio"] >= 100 else f"{r['ratio']:.3g}"
    middle = human(r["value"], r["unit"]) + (" (mean)" if r["center"] == "mean" else "")
    return [r["case"], r["what"], r["by"], middle, spread, against, ratio, r["target"] or "",
            r["verdict"] or ""]


def print_rows(report):
    print(headline(report))
    print_table(["case", "what", "by", "median", "min – max", "against", "ratio", "target", "verdict"],
                [cells(r) for r in report["rows"]])


def print_end(report):
    for remark in report["remarks"]: print(f"\n{remark}")
    for failure in report["failures"]: print(f"\nFAILED: {failure}")
    judged = [r for r in report["rows"] if r["verdict"]]
    met = sum(r["verdict"] == "met" for r in judged)
    if judged and report["mode"] == "full": print(f"\n{met} of {len(judged)} targets met")
    print(f"\nrepeat with: {report['command']}")


def finish(report, path):
    """Writes a report, prints it, and ends: with 1 after a failure."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w") as file: json.dump(report, file, indent=1)
    print_rows(report)
    print_end(report)
    sys.exit(1 if report["failures"] else 0)
