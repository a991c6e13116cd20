"""The records of a run, and the rows that are made of them."""
import math, statistics


class Records:
    def __init__(self, records, expected=True):
        """`expected`: the program under test ran, so that what it did not report is missing."""
        self.records, self.expected = records, expected

    def values(self, by, case, metric, like=None):
        """All values of a metric, of the pool and the number of changes of the case `like`."""
        found = []
        for record in self.records:
            if (record["by"], record["case"], record["metric"]) != (by, case, metric): continue
            if like and record.get("experts") != like.experts: continue
            if like and case == "commit" and record.get("changes") != like.changes: continue
            found += record["values"]
        return found

    def metrics(self, by, case):
        found = [r["metric"] for r in self.records if (r["by"], r["case"]) == (by, case)]
        return list(dict.fromkeys(found))

    def unit(self, by, case, metric):
        for r in self.records:
            if (r["by"], r["case"], r["metric"]) == (by, case, metric): return r.get("unit", "count")
        return "count"


def verdict(value, target):
    """('met' or 'missed by x %'); a target is ('<=' or '>=', number, how it is written)."""
    sign, limit, _ = target
    if (value <= limit) if sign == "<=" else (value >= limit): return "met"
    if limit == 0: return f"missed by {value:.4g}"
    return f"missed by {abs(value / limit - 1):.1%}"


def row(by, case, what, values, unit, against=None, target=None, of="ratio", center="median",
        judged=True):
    """`against` is (name, number); `of` says whether a target is for the ratio or for the value."""
    middle = statistics.mean(values) if center == "mean" else statistics.median(values)
    ratio = middle / against[1] if against and against[1] else None
    answer = {"by": by, "case": case, "what": what, "center": center, "value": middle,
              "low": min(values), "high": max(values), "count": len(values), "unit": unit,
              "against": against[0] if against else None,
              "against_value": against[1] if against else None, "ratio": ratio,
              "target": target[2] if target else None, "verdict": None}
    measured = middle if of == "value" else ratio
    if target and measured is None: answer["verdict"] = "nothing to compare with"
    elif target: answer["verdict"] = verdict(measured, target) if judged else "not judged"
    return answer


def missing(case, what, target):
    """The row of a target that nothing was measured for."""
    empty = dict.fromkeys(("value", "low", "high", "against", "against_value", "ratio"))
    return {"by": "cambium", "case": case, "what": what, "center": "median", "count": 0, "unit": "count",
            **empty, "target": target[2], "verdict": "not measured"}


def growth(records):
    """One entry per metric of the growth case: medians over N, and the exponent of N."""
    pools, answer = {}, []
    for r in records:
        if (r["by"], r["case"]) != ("cambium", "growth") or not r["values"]: continue
        median = statistics.median(r["values"])
        pools.setdefault((r["metric"], r.get("unit", "count")), {})[r["experts"]] = (median, r)
    for (metric, unit), points in pools.items():
        counts = sorted(points)
        values = [points[n][0] for n in counts]
        if len(counts) < 2 or min(values) <= 0: continue
        exponent = math.log(values[-1] / values[0]) / math.log(counts[-1] / counts[0])
        logarithmic = math.log(counts[-1]) / math.log(counts[0])
        sample = points[counts[0]][1]
        answer.append({"metric": metric, "unit": unit, "experts": counts, "values": values,
                       "exponent": exponent, "size": sample.get("size"),
                       "changes": sample.get("changes") or 0,
                       "k_log_n": values[-1] / values[0] <= 1.5 * logarithmic})
    return answer
