"""The machine in a few words, for the head of a table."""
import os, platform


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


def describe(folder):
    memory = field("/proc/meminfo", "MemTotal")
    return {"cpu": field("/proc/cpuinfo", "model name") or platform.machine(),
            "cores": os.cpu_count(), "kernel": f"{platform.system()} {platform.release()}",
            "memory_bytes": int(memory.split()[0]) * 1024 if memory else None,
            "file_system": file_system(folder), "python": platform.python_version(),
            "load_before": os.getloadavg()}
