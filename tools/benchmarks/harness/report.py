"""Measurements, and what is said of them: one table, one JSON, one comparison of two checkouts."""
import json, os, statistics, sys

SCALES = {"s": 1, "us": 1e-6, "ns": 1e-9}


def at_most(limit, text=None, of="ratio"):
    """A target: for the ratio, or `of` the value."""
    return "<=", limit, text or f"≤ {limit:.3g} ×", of


def at_least(limit, text=None, of="ratio"): return ">=", limit, text or f"≥ {limit:.3g} ×", of


def verdict(value, goal):
    """'met', or by how much it was missed."""
    sign, limit, _, _ = goal
    if (value <= limit) if sign == "<=" else (value >= limit): return "met"
    if limit == 0: return f"missed by {value:.4g}"
    return f"missed by {abs(value / limit - 1):.1%}"


def measurement(case, what, values, unit, by="cambium", against=None, goal=None, center="median", judged=True):
    """What one side needed for one thing: all values, their median, and its ratio to `against`, a (name, number)."""
    middle = getattr(statistics, center)(values) if values else None
    name, other = against or (None, None)
    ratio = middle / other if values and other else None
    answer = {"by": by, "case": case, "what": what, "center": center, "value": middle, "unit": unit,
              "low": min(values, default=None), "high": max(values, default=None), "count": len(values),
              "against": name, "against_value": other, "ratio": ratio, "values": values,
              "target": goal[2] if goal else None, "verdict": None}
    if goal and not values: answer["verdict"] = "not measured"
    elif goal:
        judges = middle if goal[3] == "value" else ratio
        answer["verdict"] = ("nothing to compare with" if judges is None
                             else verdict(judges, goal) if judged else "not judged")
    return answer


def human(value, unit):
    if value is None: return ""
    if unit in SCALES:
        seconds = value * SCALES[unit]
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


def cells(m):
    spread = "" if m["count"] < 2 else f"{human(m['low'], m['unit'])} – {human(m['high'], m['unit'])}"
    against = f"{m['against'] or ''} {human(m['against_value'], m['unit'])}".strip()
    ratio = "" if m["ratio"] is None else f"{m['ratio']:,.0f}" if m["ratio"] >= 100 else f"{m['ratio']:.3g}"
    middle = human(m["value"], m["unit"]) + (" (mean)" if m["center"] == "mean" else "")
    return [m["case"], m["what"], m["by"], middle, spread, against, ratio, m["target"] or "", m["verdict"] or ""]


def print_table(head, lines):
    lines = list(lines)
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    for line in [head, ["-" * width for width in widths], *lines]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")


def headline(report):
    m = report["machine"]
    return (f"\n{m['cpu']}, {m['cores']} cores, {m['memory_bytes'] / 2**30:.0f} GiB, {m['kernel']}, "
            f"{m['file_system']}; load {m['load_before'][0]:.1f} before, {m['load_after'][0]:.1f} after; "
            f"{report['mode']} run of {report['seconds']:.0f} s\n")


def print_rows(rows, more):
    """The table of all measurements, and what else a target prints."""
    if rows:
        print_table(["case", "what", "by", "median", "min – max", "against", "ratio", "target", "verdict"], map(cells, rows))
    if more: more()


def finish(report, path, tables):
    """Writes a report and prints it, by `tables`; whether nothing failed."""
    if path == "-": json.dump(report, sys.stdout, indent=1)
    else:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "w") as file: json.dump(report, file, indent=1)
        print(headline(report))
        tables()
        for remark in report["remarks"]: print(f"\n{remark}")
        for failure in report["failures"]: print(f"\nFAILED: {failure}")
        judged = [m for m in report["rows"] if m["verdict"]]
        if judged and report["mode"] == "full":
            print(f"\n{sum(m['verdict'] == 'met' for m in judged)} of {len(judged)} targets met")
        print(f"\nrepeat with: {report['command']}")
    return not report["failures"]


def compare(rows, limit=1.05):
    """Prints what both checkouts measured, side by side; a ratio above 1 is worse now. How many are above the limit."""
    before = {(m["case"], m["what"]): m for m in rows if m["by"] == "before"}
    lines, worse, seen = [], 0, set()
    for m in rows:
        key = m["case"], m["what"]
        old = before.get(key)
        if m["by"] != "cambium" or key in seen or not old or not all((old["low"], m["low"])): continue
        seen.add(key)
        rate = "/s" in m["unit"]
        now, then = (m["value"], m["high" if rate else "low"]), (old["value"], old["high" if rate else "low"])
        ratio, best = (b / a if rate else a / b for a, b in zip(now, then))
        slower = ratio > limit and (rate or m["unit"] == "bytes" or m["unit"] in SCALES)
        worse += slower
        lines.append([*key, human(old["value"], m["unit"]), human(m["value"], m["unit"]), cells(old)[4], cells(m)[4],
                      f"{min(old['count'], m['count'])}", f"{ratio:.3f}", f"{best:.3f}", "worse" if slower else ""])
    print_table(["case", "what", "before", "now", "before, min – max", "now, min – max", "runs", "ratio",
                 "of the best", ""], lines)
    print(f"\n{worse} of {len(lines)} medians are worse than before by more than {limit - 1:.0%} (above 1 is worse)")
    return worse
