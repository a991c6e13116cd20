"""Pictures, where matplotlib is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import BadInput, CambiumError, NotFound

if TYPE_CHECKING:
    from .records import Commit
    from .snapshot import Snapshot
    from .store import Store


def _axes(axes: Any, width: float, height: float) -> Any:
    if axes is not None:
        return axes
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise CambiumError("plots need matplotlib: pip install matplotlib", "unsupported") from None
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def plot_experts(snapshot: Snapshot, against: str | None, pool: str, axes: Any) -> Any:
    """A square for each expert, by layer: how large its weights are, or what changed."""
    layers = [one["layer"] for one in snapshot.pools if one["pool"] == pool]
    if not layers:
        raise NotFound(f"{snapshot.id[:12]} has no experts in a pool '{pool}'")
    if against is not None:
        values, label = _changed(snapshot, layers, against, pool), f"changed since {against}"
    else:
        values, label = _norms(snapshot, layers, pool), "root mean square of the weights"
    axes = _axes(axes, min(12, 2 + values.shape[1] / 6), min(10, 1.2 + len(layers) / 4))
    image = axes.imshow(values, aspect="auto", interpolation="nearest",
                        cmap="viridis" if against is None else "coolwarm",
                        vmin=None if against is None else 0, vmax=None if against is None else 1)
    axes.set_yticks(range(len(layers)), [str(layer) for layer in layers])
    axes.set_xlabel("expert")
    axes.set_ylabel("layer")
    axes.set_title(label)
    if against is None:
        axes.figure.colorbar(image, ax=axes)
    return axes


def _norms(snapshot: Snapshot, layers: list[int], pool: str) -> np.ndarray:
    """[layers, experts]; NaN where there is none."""
    pools = [snapshot.experts(layer, pool, framework="np") for layer in layers]
    values = np.full((len(layers), max(map(len, pools))), np.nan)
    for row, experts in enumerate(pools):
        for expert in experts:
            total = count = 0.0
            for array in expert.tensors.values():
                if array.dtype.kind not in "fV":
                    raise BadInput(
                        f"the experts of layer {experts.layer} are {array.dtype}; see what changed "
                        "by against=", "unsupported",
                    )
                numbers = array.astype(np.float32)
                total += float(np.square(numbers, dtype=np.float64).sum())
                count += numbers.size
            values[row, expert.ordinal] = (total / count) ** 0.5 if count else np.nan
    return values


def _changed(snapshot: Snapshot, layers: list[int], against: str, pool: str) -> np.ndarray:
    """[layers, experts]: 1 where an expert is another; NaN where there is none."""
    other = snapshot.store[against]
    pools = [snapshot.experts(layer, pool).ids for layer in layers]
    values = np.full((len(layers), max(map(len, pools))), np.nan)
    for row, (layer, ids) in enumerate(zip(layers, pools)):
        try:
            before = other.experts(layer, pool).ids
        except NotFound:
            before = []
        for expert, one in enumerate(ids):
            if one:
                values[row, expert] = not (expert < len(before) and before[expert] == one)
    return values


def plot_history(store: Store, metric: str | None, limit: int, axes: Any) -> Any:
    """The graph of the newest commits; or a number that commits tell, along every branch."""
    if metric is not None:
        return _plot_metric(store, metric, limit, axes)
    commits = store.log(all=True, limit=limit)
    if not commits:
        raise NotFound("the store has no commits")
    place = {one.id: len(commits) - 1 - row for row, one in enumerate(commits)}
    # A commit is in the lane of the first branch that it is on, HEAD's before others.
    branches = sorted(store.branches(), key=lambda one: not one.is_head)
    lanes: dict[str, int] = {}
    for lane, branch in enumerate(branches):
        for commit in _line(commits, branch.id):
            lanes.setdefault(commit.id, lane)
    axes = _axes(axes, min(14, 3 + len(commits) / 2), 1.5 + len(branches) / 2)
    for commit in commits:
        x, y = place[commit.id], lanes.get(commit.id, len(lanes))
        for parent in commit.parents:
            if parent in place:
                axes.plot([place[parent], x], [lanes.get(parent, len(lanes)), y],
                          color="0.6", zorder=1)
        axes.scatter([x], [y], zorder=2, color=f"C{y % 10}")
    axes.set_yticks(range(len(branches)), [one.name for one in branches])
    axes.invert_yaxis()
    axes.set_xlabel("commit")
    return axes


def _line(commits: list[Commit], start: str) -> list[Commit]:
    """A commit, its first parent, that one's, and so on, among some commits."""
    known = {one.id: one for one in commits}
    line = []
    one = known.get(start)
    while one is not None:
        line.append(one)
        one = known.get(one.parents[0]) if one.parents else None
    return line


def _plot_metric(store: Store, metric: str, limit: int, axes: Any) -> Any:
    lines = {}
    for branch in store.branches():
        found = [
            one.metrics[metric]
            for one in _line(store.log(branch.name, limit=limit), branch.id)
            if metric in one.metrics
        ]
        if found:
            lines[branch.name] = found[::-1]
    if not lines:
        raise NotFound(f"no commit tells '{metric}'")
    axes = _axes(axes, 7, 4)
    for name, points in lines.items():
        axes.plot(points, marker="o", label=name)
    axes.set_xlabel("commit")
    axes.set_ylabel(metric)
    axes.legend()
    return axes
