"""The rows of the tables and their targets."""
import statistics

import inference_cases as cases
from storage_records import row


def at_most(limit, unit=" ×"): return ("<=", limit, f"≤ {limit:g}{unit}")


def at_least(limit, unit=" ×"): return (">=", limit, f"≥ {limit:g}{unit}")


class Found:
    def __init__(self, records): self.records = records

    def values(self, by, case, metric, **place):
        return [value for r in self.records
                if (r["by"], r["case"], r["metric"]) == (by, case, metric)
                and all(r.get(key) == wanted for key, wanted in place.items()) for value in r["values"]]

    def median(self, by, case, metric, **place):
        values = self.values(by, case, metric, **place)
        return statistics.median(values) if values else None

    def best(self, by, case, start, pick=min, **place):
        """(metric, median) of the fastest form whose name begins so."""
        medians = {r["metric"]: statistics.median(r["values"]) for r in self.records
                   if (r["by"], r["case"]) == (by, case) and r["metric"].startswith(start)
                   and all(r.get(key) == wanted for key, wanted in place.items())}
        if not medians: return None
        name = pick(medians, key=medians.get)
        return name, medians[name]


def rows(records, chosen, judged):
    found, answer = Found(records), []
    for name in cases.NAMES:
        if name in chosen: answer += globals()[f"rows_{name}"](found, chosen[name], judged)
    return answer


def rows_layer(found, layers, judged):
    answer = []
    for case in layers:
        place = {"experts": case.experts, "sets": case.sets}
        title, judges = case.label(), judged and case.judged()
        for by, metric, what in (("cambium", "difference", "outputs against doubles"),
                                 ("torch", "difference", "PyTorch's outputs against ours"),
                                 ("torch", "heads_that_differ", "heads of 4,096 with other experts"),
                                 ("cambium", "int8_recall", "picks that int8 finds too")):
            values = found.values(by, "layer", metric, **place)
            unit = "count" if metric.startswith("heads") else "share"
            if values: answer.append(row(by, title, what, values, unit))
        values = found.values("floor", "layer", "stream", **place)
        if values: answer.append(row("floor", title, "stream of the mapped file", values, "GB/s"))
        for batch in cases.BATCHES:
            answer += rows_batch(found, title, batch, {**place, "batch": batch}, judges)
    return answer


def rows_batch(found, title, batch, place, judged):
    answer = []
    floor = found.median("floor", "layer", "rows", **place)
    for part in ("route", "experts", "layer"):
        best = found.best("torch", "layer", part + " ", **place)
        einsum = found.median("torch", "layer", part + " einsum", **place)
        for router in ("fp32", "int8"):
            values = found.values("cambium", "layer", f"{part} {router}", **place)
            if not values: continue
            what = f"B = {batch}: " + (part if part == "experts" else f"{part}, {router}")
            goal = at_most(cases.LAYER_TARGETS[router][batch]) if part == "layer" and judged else None
            against = (f"PyTorch {best[0].split()[1]}", best[1]) if best else None
            if best or part != "experts" or not floor:
                answer.append(row("cambium", title, what, values, "us", against, goal))
            if einsum and best[1] != einsum:
                answer.append(row("cambium", title, what, values, "us", ("PyTorch einsum", einsum)))
            if part == "experts" and floor:
                goal = at_most(cases.EXPERTS_TARGET) if judged else None
                answer.append(row("cambium", title, what, values, "us", ("random rows", floor), goal))
    return answer


def rows_products(found, products, judged):
    answer = []
    for case in products:
        blas = found.median("floor", "products", "openblas", label=case.label())
        for name in ("own", "int8"):
            values = found.values("cambium", "products", name, label=case.label())
            goal = at_least(cases.PRODUCT_TARGET) if name == "own" and judged else None
            if values:
                answer.append(row("cambium", case.label(), "own kernel" if name == "own" else name,
                                  values, "GFLOP/s", ("OpenBLAS", blas), goal))
    return answer


def rows_cold(found, case, judged):
    answer = []
    for tokens in case["tokens"]:
        title = f"{tokens:,} tokens, empty page cache"
        used = found.median("cambium", "cold", "used_bytes", tokens=tokens)
        for metric, what, unit in (("read_bytes", "bytes read", "bytes"), ("open_bytes", "of these to open", "bytes"),
                                   ("open_seconds", "open", "s"), ("run_seconds", "run", "s"),
                                   ("anonymous_bytes", "RssAnon", "bytes"), ("file_bytes", "RssFile", "bytes")):
            values = found.values("cambium", "cold", metric, tokens=tokens)
            if not values: continue
            against = ("used", used) if metric == "read_bytes" else None
            goal = at_most(cases.COLD_TARGET) if against and judged else None
            answer.append(row("cambium", title, what, values, unit, against, goal))
            pages = found.median("cambium", "cold", "page_bytes", tokens=tokens)
            if against: answer.append(row("cambium", title, what, values, unit, ("pages used", pages)))
    tokens = case["limit_tokens"]
    free = found.median("cambium", "cold", "run_seconds", tokens=tokens)
    for limit in case["limits"]:
        title = f"{tokens:,} tokens within {limit >> 20} MiB, empty page cache"
        peak = found.values("cambium", "limit", "peak_bytes", tokens=tokens, limit=limit)
        goal = at_most(1.0)
        if peak: answer.append(row("cambium", title, "peak of resident memory", peak, "bytes", ("the limit", limit), goal))
        seconds = found.values("cambium", "limit", "run_seconds", tokens=tokens, limit=limit)
        if seconds: answer.append(row("cambium", title, "run", seconds, "s", ("no limit", free)))
    return answer


def rows_kinds(found, case, judged):
    answer = []
    for r in found.records:
        if r["case"] == "kinds":
            title = f"{r['metric']}, N = 2^{r['experts'].bit_length() - 1}"
            answer.append(row("cambium", title, f"B = {r['batch']}: route", r["values"], "us"))
    return answer


def rows_generate(found, case, judged):
    answer = []
    equal = found.values("torch", "generate", "equal_bytes")
    if equal: answer.append(row("torch", "generate", f"first bytes that are equal, of {case['count']}", equal, "count"))
    for batch in case["batches"]:
        ours = found.best("cambium", "generate", "", max, batch=batch)
        best = found.best("torch", "generate", "", max, batch=batch)
        if not ours: continue
        values = found.values("cambium", "generate", ours[0], batch=batch)
        goal = at_least(cases.GENERATE_TARGET) if judged and batch == 1 else None
        against = (f"PyTorch, {best[0]}", best[1]) if best else None
        answer.append(row("cambium", "generate", f"B = {batch}, {ours[0]}", values, "tokens/s", against, goal))
    return answer


def rows_eval(found, case, judged):
    answer = []
    values = found.values("cambium", "eval", "eval")
    best = found.best("torch", "eval", "fused")
    goal = at_most(1 / cases.EVAL_TARGET) if judged else None
    against = (f"PyTorch {best[0]}", best[1]) if best else None
    if values: answer.append(row("cambium", "eval", "per token", values, "us", against, goal))
    for by in ("cambium", "torch"):
        values = found.values(by, "eval", "bits")
        if values: answer.append(row(by, "eval", "bits per byte", values, "share"))
    return answer


def rows_recall(found, case, judged):
    answer = []
    for metric, what in (("recall", "picks that int8 finds too"), ("same_sets", "heads with the same picks"),
                         ("bits", "bits per byte, fp32"), ("bits_int8", "bits per byte, int8"),
                         ("bits_difference", "bits per byte, difference")):
        values = found.values("cambium", "recall", metric)
        goal = at_most(cases.RECALL_BITS_TARGET, "") if metric == "bits_difference" and judged else None
        if values: answer.append(row("cambium", "int8 router", what, values, "share", None, goal, "value"))
    return answer
