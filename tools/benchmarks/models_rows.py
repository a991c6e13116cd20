"""The rows of the table of models and their targets."""
import statistics

from storage_records import row


def at_most(limit): return ("<=", limit, f"≤ {limit:.3g} ×")


def at_least(limit): return (">=", limit, f"≥ {limit:.3g} ×")


class Found:
    def __init__(self, records): self.records = records

    def values(self, by, case, metric, **place):
        return [value for r in self.records
                if (r["by"], r["case"], r["metric"]) == (by, case, metric)
                and all(r.get(key) == wanted for key, wanted in place.items())
                for value in r["values"] if value is not None]

    def median(self, *key, **place):
        values = self.values(*key, **place)
        return statistics.median(values) if values else None


def against(name, value): return (name, value) if value is not None else None


def rows(records, judged):
    found, answer = Found(records), []
    for form in ("fp32", "bf16"):
        values = found.values("cambium", "import", form)
        if values: answer.append(row("cambium", form, "import", values, "s"))
        values = found.values("transformers", "parity", form)
        if values: answer.append(row("transformers", form, "logits against ours, of their deviation", values, "share"))
        values = found.values("transformers", "parity", f"{form} rounded")
        if values: answer.append(row("transformers", form, "the same, computed in BF16", values, "share"))
        values = found.values("transformers", "parity", f"{form} tokens")
        if values: answer.append(row("transformers", form, "greedy tokens alike, of 32", values, "count"))
        answer += decode(found, form, judged) + first(found, form, judged) + limited(found, form)
    return answer


def decode(found, form, judged):
    answer = []
    for threads in (1, 2):
        place = {"form": form, "threads": threads}
        peer = found.median("transformers", "decode", "tokens_per_s", **place)
        values = found.values("cambium", "decode", "tokens_per_s", **place)
        goal = at_least(3) if threads == 2 and judged else None
        if values:
            answer.append(row("cambium", form, f"decode, {threads} threads", values, "tokens/s",
                              against("transformers", peer), goal))
        peer = found.median("transformers", "decode", "cpu_ms_per_token", **place)
        values = found.values("cambium", "decode", "cpu_ms_per_token", **place)
        if values:
            answer.append(row("cambium", form, f"processor time of a token, {threads} threads",
                              [value / 1000 for value in values], "s",
                              against("transformers", peer / 1000 if peer else None)))
        peer = found.median("transformers", "decode", "prefill_seconds", **place)
        values = found.values("cambium", "decode", "prefill_seconds", **place)
        if values:
            answer.append(row("cambium", form, f"16 tokens of prompt, {threads} threads", values, "s",
                              against("transformers", peer)))
    return answer


def first(found, form, judged):
    answer = []
    for state in ("cold", "warm"):
        for tokens in (1, 16):
            place = {"form": form, "tokens": tokens, "state": state}
            title = f"first token, {state}, prompt of {tokens}"
            goals = {"seconds": at_most(1 / 3), "peak_anonymous": at_most(1 / 3)}
            for metric, unit, what in (("seconds", "s", "from the process's start"),
                                       ("peak_anonymous", "bytes", "its own memory at most")):
                values = found.values("cambium", "first", metric, **place)
                if not values: continue
                peer = found.median("transformers", "first", metric, **place)
                goal = goals[metric] if judged and state == "cold" else None
                answer.append(row("cambium", form, f"{title}: {what}", values, unit,
                                  against("transformers", peer), goal))
            if state == "warm": continue
            values = found.values("cambium", "first", "bytes_read", **place)
            needed = found.median("cambium", "first", "needed", **place)
            if not values: continue
            goal = at_most(1.2) if judged and tokens == 1 else None
            answer.append(row("cambium", form, f"{title}: bytes read", values, "bytes",
                              against("bytes it needs", needed), goal))
            values = found.values("transformers", "first", "bytes_read", **place)
            if values:
                answer.append(row("transformers", form, f"{title}: bytes read", values, "bytes",
                                  against("bytes it needs", needed)))
    return answer


def limited(found, form):
    answer = []
    free = found.median("cambium", "decode", "tokens_per_s", form=form, threads=2)
    for warm in (False, True):
        place = {"form": form, "warm": warm}
        title = "memory limit 40 %, " + ("experts of a profile first" if warm else "no profile")
        for metric, unit, other in (("tokens_per_s", "tokens/s", against("no limit", free)),
                                    ("hit_rate", "share", None), ("prefetch_accuracy", "share", None),
                                    ("anonymous", "bytes", None)):
            values = found.values("cambium", "limited", metric, **place)
            if values and (warm or metric != "prefetch_accuracy"):
                answer.append(row("cambium", form, f"{title}: {metric.replace('_', ' ')}", values, unit, other))
    return answer
