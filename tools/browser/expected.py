"""What each table of a page must say, from the figures' JSON alone."""
import math


def _history(data):
    names = sorted({name for commit in data["commits"] for name in commit["metrics"]})
    return [[commit["bytes"], *(commit["metrics"].get(name) for name in names)] for commit in data["commits"]]


def _metrics(data):
    return [[point["value"]] for series in data["series"] for point in series["points"]]


def _loss(data):
    return [[point["step"], point["value"]] for curve in data["curves"] for point in curve["points"]]


def _matrix(data):
    return [[value, domain["bestBefore"][index] if index < len(domain["bestBefore"]) else None]
            for domain in data["domains"] for index, value in enumerate(domain["values"]) if value is not None]


def _experts(data):
    return [[pool["layer"], number, count] for pool in data["pools"] for number, count in enumerate(pool["counts"])]


def _rounds(data):
    rows = []
    for pool in data["pools"]:
        for index in range(len(data["rounds"])):
            made, changed = pool["made"].count(index), pool["changed"].count(index)
            if made + changed:
                rows.append([pool["layer"], made, changed])
    return rows


def _sharing(data):
    shared = data.get("shared") or {"pairs": [], "models": []}
    amounts = [pair["shared"] for pair in shared["pairs"]] + [model["contents"] for model in shared["models"]]
    return [[amount["experts"], amount["tensors"], amount["bytes"]] for amount in amounts]


def _storage(data):
    return [[commit[name] for name in ("bytes", "new", "together", "separate")] for commit in data["commits"]]


def _merges(data):
    return [[] for merge in data["merges"] for _ in (merge["conflicts"] or [None])]


def number(text):
    """What a page is sorted by, as JSON has it: words for what is no finite number."""
    words = {"": None, "Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}
    return words[text] if text in words else float(text)


def _shown(value):
    """A number to three places, halves away from zero, as pictures have it."""
    if isinstance(value, str):
        return value
    return f"{math.copysign(math.floor(abs(value) * 1000 + 0.5) / 1000, value):.3f}"


def words(name, data):
    """Words that the picture of a figure must have, from its JSON alone."""
    if name == "matrix":
        return [domain["name"] for domain in data["domains"]] + [
            _shown(value) for domain in data["domains"] for value in domain["values"][-40:] if value is not None]
    if name == "history":
        return [commit["id"][:8] for commit in data["commits"]]
    if name == "metrics":
        return [series["name"] for series in data["series"][:12]]
    if name == "rounds":
        owed = [one for one in data["rounds"] if one["changed"]]
        return [f"{one['subject']} ({one['changed']:,} expert{'' if one['changed'] == 1 else 's'})" for one in owed[-7:]]
    if name == "sharing":
        return [model["revision"] for model in (data.get("shared") or {"models": []})["models"]]
    return []


rows = {
    "history": _history, "metrics": _metrics, "loss": _loss, "matrix": _matrix, "experts": _experts,
    "rounds": _rounds, "sharing": _sharing, "storage": _storage, "merges": _merges,
}
