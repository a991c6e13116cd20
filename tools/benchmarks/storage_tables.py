"""The tables that a run prints."""
from storage_cases import short


def human(value, unit):
    if value is None: return ""
    if unit in ("s", "ns"):
        seconds = value if unit == "s" else value * 1e-9
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
            if abs(seconds * factor) >= 1: return f"{seconds * factor:.3g} {name}"
        return f"{seconds * 1e9:.3g} ns"
    if unit == "bytes":
        for factor, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if abs(value) >= factor: return f"{value / factor:.4g} {name}"
        return f"{value:.0f} B"
    if unit == "ratio": return f"{value:.3f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def print_table(head, lines):
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    for number, line in enumerate([head, *lines]):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
        if number == 0: print("| " + " | ".join("-" * width for width in widths) + " |")


def cells(r):
    spread = "" if r["count"] < 2 else f"{human(r['low'], r['unit'])} – {human(r['high'], r['unit'])}"
    against = "" if not r["against"] else r["against"] + (
        f" {human(r['against_value'], r['unit'])}" if r["against_value"] is not None else "")
    ratio = "" if r["ratio"] is None else f"{r['ratio']:,.0f}" if r["ratio"] >= 100 else f"{r['ratio']:.3g}"
    middle = human(r["value"], r["unit"]) + (" (mean)" if r["center"] == "mean" else "")
    return [r["case"], r["what"], r["by"], middle, spread, against, ratio, r["target"] or "",
            r["verdict"] or ""]


def show(report):
    m = report["machine"]
    print(f"\n{m['cpu']}, {m['cores']} cores, {(m['memory_bytes'] or 0) / 2**30:.0f} GiB, {m['kernel']}, "
          f"{m['file_system']}; load {m['load_before'][0]:.1f} before, {m['load_after'][0]:.1f} after; "
          f"{report['mode']} run of {report['seconds']:.0f} s\n")
    print_table(["case", "what", "by", "median", "min – max", "against", "ratio", "target", "verdict"],
                [cells(r) for r in report["rows"]])
    if report["growth"]:
        head = ["growth, 1 commit of k = " + f"{report['growth'][0]['changes']:,}"]
        head += [f"N = {short(n)}" for n in report["growth"][0]["experts"]]
        lines = [[g["metric"], *(human(v, g["unit"]) for v in g["values"]), f"N^{g['exponent']:.2f}",
                  "yes" if g["k_log_n"] else "no"] for g in report["growth"]]
        print()
        print_table(head + ["grows as", "within k log N"],
                    [line for line in lines if len(line) == len(head) + 2])
    if report["interleaved"] is False:
        print("\nthe rounds of cambium and of ocdbt ran one after the other, not in turns")
    for remark in report["remarks"]: print(f"\n{remark}")
    for failure in report["failures"]: print(f"\nFAILED: {failure}")
    judged = [r for r in report["rows"] if r["verdict"]]
    met = sum(r["verdict"] == "met" for r in judged)
    if judged and report["mode"] == "full": print(f"\n{met} of {len(judged)} targets met")
    print(f"\nrepeat with: {report['command']}")
