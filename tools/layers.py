"""Checks that arrows point one way: each import is a declared dependency of the file's target.

SwiftPM refuses cycles, but lets a target import what it reaches indirectly; this does not.
"""
import json, os, re, subprocess, sys

SYSTEM = {"Swift", "Glibc", "Dispatch", "Synchronization", "FoundationEssentials", "Foundation", "Testing"}
# Where `unsafe` may be written: the owners of C handles, mapped memory and kernels.
UNSAFE = {"BenchmarkSupport", "StorageBenchmark", "InferenceBenchmark", "MergeBenchmark", "TrainingBenchmark", "Elements", "Files", "KeyValue", "Objects", "Tensors", "Checkpoints", "Tokenizers", "Models", "CambiumC"}
# The command line's system calls: terminal size, signals, the pager, memory figures, the programs that it runs; and
# the owner of libcurl's handles.
UNSAFE_FILES = {"HTTPConnections.swift", "ChildProcess.swift", "Terminal.swift", "Terminal+Read.swift", "Terminal+Become.swift", "DescriptorLimit.swift", "PassedSocket.swift", "StandardError.swift", "Interrupt.swift", "Terminal+Streams.swift"}
# What Swift imports, and what C calls.
PUBLIC = {"Cambium", "CambiumC"}
# What all layers tell and read: the error, the progress, a long text; the façade publishes them as they are.
PUBLIC_FILES = {"CambiumError.swift", "CambiumError+Code.swift", "Progress.swift", "TextSource.swift"}
FORBIDDEN = r"unsafeFlags|fatalError\(|try!|\bas!\s"  # only searched for: this is what bans them

package = json.loads(subprocess.run(
    ["swift", "package", "describe", "--type", "json"], check=True, capture_output=True).stdout)
faults = []
for target in package["targets"]:
    name, kind = target["name"], target["type"]
    if kind == "system-target" or "c99name" not in target:
        continue
    allowed = SYSTEM | set(target.get("target_dependencies", []))
    allowed |= set(target.get("product_dependencies", []))
    for source in target["sources"]:
        path = os.path.join(target["path"], source)
        if not path.endswith(".swift"):
            continue
        in_text = False
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            # What stands between triple quotes is text, not code.
            was_in_text, in_text = in_text, in_text ^ (line.count('"""') % 2 == 1)
            if was_in_text or in_text:
                continue
            code = line.split("//")[0]
            match = re.match(r"\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:public |package |internal |private )?"
                             r"import (?:struct |class |enum |func |var )?(\w+)", code)
            if match and match.group(1) not in allowed:
                faults.append(f"{path}:{number}: {name} may not import {match.group(1)}")
            if kind == "test" or name in {"TestSupport", "NumericSupport", "CheckpointSupport"}:
                continue
            if re.search(r"\bunsafe\b", code) and name not in UNSAFE \
                    and os.path.basename(path) not in UNSAFE_FILES:
                faults.append(f"{path}:{number}: 'unsafe' outside {', '.join(sorted(UNSAFE))}")
            if re.match(r"\s*(?:@\w+\s+)*(?:public|open) (?:final |static |mutating )*"
                        r"(?:class|struct|enum|protocol|actor|func|var|let|init|typealias|extension|subscript)\b", code) and name not in PUBLIC \
                    and os.path.basename(path) not in PUBLIC_FILES:
                faults.append(f"{path}:{number}: 'public' below the façade")
            if re.search(FORBIDDEN, code):
                faults.append(f"{path}:{number}: {code.strip()}: not allowed")
print("\n".join(faults), file=sys.stderr, end="\n" if faults else "")
sys.exit(1 if faults else 0)
