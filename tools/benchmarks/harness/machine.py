"""The machine in a few words, for the head of a table."""
import os, platform


def field(path, key):
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(key): return line.split(":", 1)[1].strip()
    except OSError: pass
    return None


def kilobytes(path, key):
    """A figure that a file in /proc gives in kB, in bytes; 0 where it gives none."""
    return int((field(path, key) or "0").split()[0]) * 1024


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


def free_memory(): return kilobytes("/proc/meminfo", "MemAvailable")


def describe(folder):
    return {"cpu": field("/proc/cpuinfo", "model name") or platform.machine(),
            "cores": os.cpu_count(), "kernel": f"{platform.system()} {platform.release()}",
            "memory_bytes": kilobytes("/proc/meminfo", "MemTotal"),
            "file_system": file_system(folder), "python": platform.python_version(),
            "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE"), "load_before": os.getloadavg()}
