"""The growth plot: seconds over the number of experts, both logarithmic, as PNG and SVG."""
import os

NAMES = {"commit_seconds": "commit", "diff_seconds": "diff", "open_seconds": "open",
         "verify_seconds": "verify"}


def draw(growth, folder):
    """Writes storage-growth.png and .svg; returns remarks."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError: return ["the growth plot needs matplotlib (see --peers)"]
    matplotlib.rcParams["svg.hashsalt"] = "cambium"
    figure, axes = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")
    for row in growth:
        if row["metric"] not in NAMES: continue
        counts, seconds = row["experts"], row["values"]
        line, = axes.loglog(counts, seconds, marker="o", label=NAMES[row["metric"]])
        axes.annotate(f" N^{row['exponent']:.2f}", (counts[-1], seconds[-1]),
                      color=line.get_color(), va="center")
    axes.set_xlabel(f"experts of {growth[0]['size']} bytes in the store")
    axes.set_ylabel("seconds (median)")
    axes.set_title(f"{growth[0]['changes']:,} changed experts per commit")
    axes.margins(x=0.15)
    axes.grid(True, which="both", alpha=0.25)
    axes.legend()
    os.makedirs(folder, exist_ok=True)
    figure.savefig(os.path.join(folder, "storage-growth.png"), dpi=150, metadata={"Software": None})
    figure.savefig(os.path.join(folder, "storage-growth.svg"), metadata={"Date": None})
    pyplot.close(figure)
    return []
