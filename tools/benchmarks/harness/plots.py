"""The pictures, as PNG and SVG; each returns remarks."""
import os, statistics

GROWTH = {"commit_seconds": "commit", "diff_seconds": "diff", "open_seconds": "open", "verify_seconds": "verify"}
ROUTERS = {"linear": "linear", "productKey": "product keys, 8 heads", "tree": "tree of 32, beam 16",
           "productKeyInt8": "product keys, int8"}


def pyplot():
    """What draws, or None."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError: return None
    matplotlib.rcParams["svg.hashsalt"] = "cambium"
    return pyplot


MISSING = ["the plots need matplotlib (see --peers)"]


def save(plot, figure, folder, name):
    os.makedirs(folder, exist_ok=True)
    figure.savefig(os.path.join(folder, name + ".png"), dpi=150, metadata={"Software": None})
    figure.savefig(os.path.join(folder, name + ".svg"), metadata={"Date": None})
    plot.close(figure)
    return []


def growth(rows, folder):
    """Seconds over the number of experts, both logarithmic."""
    plot = pyplot()
    if not plot: return MISSING
    figure, axes = plot.subplots(figsize=(6.4, 4.4), layout="constrained")
    for row in rows:
        if row["metric"] not in GROWTH: continue
        counts, seconds = row["experts"], row["values"]
        line, = axes.loglog(counts, seconds, marker="o", label=GROWTH[row["metric"]])
        axes.annotate(f" N^{row['exponent']:.2f}", (counts[-1], seconds[-1]), color=line.get_color(), va="center")
    axes.set_xlabel(f"experts of {rows[0]['size']} bytes in the store")
    axes.set_ylabel("seconds (median)")
    axes.set_title(f"{rows[0]['changes']:,} changed experts per commit")
    axes.margins(x=0.15)
    axes.grid(True, which="both", alpha=0.25)
    axes.legend()
    return save(plot, figure, folder, "storage-growth")


def routers(points, folder):
    """Microseconds per token over the number of experts, of (kind, batch, experts, values)."""
    plot = pyplot()
    if not plot: return MISSING
    batches = sorted({batch for _, batch, _, _ in points})
    figure, panels = plot.subplots(1, len(batches), figsize=(9, 4.2), sharey=True, layout="constrained", squeeze=False)
    for panel, batch in zip(panels[0], batches):
        for kind, label in ROUTERS.items():
            line = sorted((experts, statistics.median(values)) for name, of, experts, values in points
                          if (name, of) == (kind, batch))
            if line: panel.loglog(*zip(*line), base=2, marker="o", label=label)
        panel.set_title(f"batch {batch}")
        panel.set_xlabel("experts")
        panel.grid(True, which="both", alpha=0.25)
        panel.set_yscale("log", base=10)
    panels[0][0].set_ylabel("µs per token to route (median)")
    # Above the other kinds, behind the end of the linear one.
    panels[0][-1].legend(loc="center right", bbox_to_anchor=(1, 0.62))
    return save(plot, figure, folder, "inference-routers")


def continual_scale(points, folder):
    """Bits per byte over the number of experts at the least budget, and over CPU-seconds."""
    plot = pyplot()
    if not plot: return MISSING
    figure, (left, right) = plot.subplots(1, 2, figsize=(9, 4.2), sharey=True, layout="constrained")
    least = min(point["seconds"] for point in points)
    for number, kind in enumerate(dict.fromkeys(point["kind"] for point in points)):
        colour = f"C{number}"
        own = [point for point in points if point["kind"] == kind]
        line = sorted((point["experts"], point["bits"]) for point in own if point["seconds"] == least)
        if line[0][0] == 0: left.axhline(line[0][1], linestyle="--", linewidth=0.8, color=colour, label=kind)
        else: left.semilogx(*zip(*line), base=2, marker="o", color=colour, label=kind)
        best = {}
        for point in sorted(own, key=lambda point: point["bits"], reverse=True): best[point["seconds"]] = point["bits"]
        right.semilogx(*zip(*sorted(best.items())), marker="o", color=colour, label=kind)
    left.set_xlabel(f"experts, {least:.0f} CPU-seconds")
    right.set_xlabel("CPU-seconds, the best number of experts")
    left.set_ylabel("bits per byte, mean of all domains")
    for axis in (left, right):
        axis.grid(True, which="both", alpha=0.25)
        axis.legend(fontsize=7)
    return save(plot, figure, folder, "continual-scale")


def continual(result, staged, whole, folder):
    """Bits per byte of each row by domain and stage, their means over the stages, and what the gate picks."""
    plot = pyplot()
    if not plot: return MISSING
    domains = result["domains"]
    stages = ["base", *domains[result["baseDomains"]:]]
    if staged:
        figure, axes = plot.subplots(1, len(staged), figsize=(3.6 * len(staged), 3.8), squeeze=False, layout="constrained")
        for axis, row in zip(axes[0], staged):
            axis.imshow(row["stages"], vmin=1.5, vmax=5, cmap="viridis_r", aspect="auto")
            axis.set_title(row["name"], fontsize=9)
            axis.set_xticks(range(len(domains)), domains, rotation=90, fontsize=7)
            axis.set_yticks(range(len(row["stages"])), stages, fontsize=7)
            for y, line in enumerate(row["stages"]):
                for x, value in enumerate(line):
                    axis.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=5)
        save(plot, figure, folder, "continual-matrix")
        figure, axis = plot.subplots(figsize=(9, 4.6), layout="constrained")
        colours = plot.get_cmap("tab20").colors
        for number, row in enumerate(staged):
            means = [sum(s) / len(s) for s in row["stages"]]
            axis.plot(stages, means, marker="o", label=row["name"], color=colours[number % len(colours)])
        for row in whole:
            mean = sum(row["stages"][0]) / len(domains)
            axis.axhline(mean, linestyle="--", linewidth=0.8, color="gray")
            axis.text(0, mean, row["name"], fontsize=7)
        axis.set_ylabel("bits per byte, mean of all domains")
        axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
        save(plot, figure, folder, "continual-stream")
    if result["gateUse"]:
        figure, axis = plot.subplots(figsize=(6, 3.6), layout="constrained")
        bottom = [0.0] * len(domains)
        for index, name in enumerate(stages):
            share = [use[index] for use in result["gateUse"]]
            axis.bar(domains, share, bottom=bottom, label=name)
            bottom = [b + s for b, s in zip(bottom, share)]
        axis.tick_params(axis="x", rotation=60)
        axis.set_ylabel("share of bytes, gate's first pick")
        axis.legend(fontsize=7)
        save(plot, figure, folder, "continual-use")
    return []


def steps(points, folder):
    """Over the rate of training: bytes a step as a share of the checkpoint, and bytes per changed element."""
    plot = pyplot()
    if not plot: return MISSING
    points = sorted(points, key=lambda point: point["rate"])
    rates = [point["rate"] for point in points]
    figure, (left, right) = plot.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
    left.loglog(rates, [point["share"] for point in points], "kx--", label="elements changed")
    for by in points[0]["bytes"]:
        line, = left.loglog(rates, [point["bytes"][by] / point["elements"] / 2 for point in points], marker="o", label=by)
        right.loglog(rates, [point["bytes"][by] / point["elements"] / point["share"] for point in points], marker="o",
                     color=line.get_color(), label=by)
    left.set_ylabel("bytes a step, as a share of the checkpoint")
    right.set_ylabel("bytes a step per changed element")
    for axes in (left, right):
        axes.set_xlabel("learning rate")
        axes.grid(True, which="both", alpha=0.25)
    left.legend(fontsize=8)
    return save(plot, figure, folder, "steps-rates")
