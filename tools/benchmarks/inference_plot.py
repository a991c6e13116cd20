"""The plot of microseconds per token over the number of experts, as PNG and SVG."""
import os, statistics

NAMES = {"linear": "linear", "productKey": "product keys, 8 heads", "tree": "tree of 32, beam 16",
         "productKeyInt8": "product keys, int8"}


def draw(records, folder):
    """Writes inference-routers.png and .svg; returns remarks."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError: return ["the plot needs matplotlib (see --peers)"]
    matplotlib.rcParams["svg.hashsalt"] = "cambium"
    batches = sorted({r["batch"] for r in records})
    figure, panels = pyplot.subplots(1, len(batches), figsize=(9, 4.2), sharey=True, layout="constrained",
                                     squeeze=False)
    for panel, batch in zip(panels[0], batches):
        for kind, label in NAMES.items():
            points = sorted((r["experts"], statistics.median(r["values"])) for r in records
                            if r["metric"] == kind and r["batch"] == batch)
            if points: panel.loglog(*zip(*points), base=2, marker="o", label=label)
        panel.set_title(f"batch {batch}")
        panel.set_xlabel("experts")
        panel.grid(True, which="both", alpha=0.25)
        panel.set_yscale("log", base=10)
    panels[0][0].set_ylabel("µs per token to route (median)")
    # Above the other kinds, behind the end of the linear one.
    panels[0][-1].legend(loc="center right", bbox_to_anchor=(1, 0.62))
    os.makedirs(folder, exist_ok=True)
    figure.savefig(os.path.join(folder, "inference-routers.png"), dpi=150, metadata={"Software": None})
    figure.savefig(os.path.join(folder, "inference-routers.svg"), metadata={"Date": None})
    pyplot.close(figure)
    return []
