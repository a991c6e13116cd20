"""eight domains one after another: cohorts on a frozen base beside the baselines of the field"""
import argparse, json, os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
BENCH = os.path.join(ROOT, ".build", "bench")


def measures(result, row):
    """Mean bits per byte after the stream, forgetting, BWT and FWT in bits (positive BWT and FWT are good)."""
    stages, base = row["stages"], result["baseDomains"]
    final = stages[-1]
    mean = sum(final) / len(final)
    if len(stages) == 1:
        return mean, None, None, None
    learnt = {d: max(0, d - base + 1) for d in range(len(final))}
    earlier = [d for d in range(len(final)) if learnt[d] < len(stages) - 1]
    forgetting = sum(final[d] - min(s[d] for s in stages[learnt[d]:]) for d in earlier) / len(earlier)
    bwt = sum(stages[learnt[d]][d] - final[d] for d in earlier) / len(earlier)
    new = range(base, len(final))
    fwt = sum(stages[0][d] - stages[learnt[d] - 1][d] for d in new) / len(new)
    return mean, forgetting, bwt, fwt


def table(result):
    joint = [r for r in result["rows"] if r["name"].startswith("joint")]
    best = min((measures(result, r)[0] for r in joint), default=None)
    head = ["row", *result["domains"], "mean", "/ best joint", "forgetting", "BWT", "FWT", "parameters", "active",
            "state MB", "replay MB", "CPU-s", "steps"]
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in result["rows"]:
        mean, *rest = measures(result, row)
        cells = [row["name"], *(f"{x:.3f}" for x in row["stages"][-1]), f"{mean:.3f}",
                 f"{mean / best:.3f}" if best else "", *("" if x is None else f"{x:.3f}" for x in rest),
                 f"{row['parameters']:,}", f"{row['activeParameters']:,}", f"{row['stateBytes'] / 1e6:.1f}",
                 f"{row['replayBytes'] / 1e6:.1f}", f"{row['processorSeconds']:.0f}", str(row["steps"])]
        print("| " + " | ".join(cells) + " |")
    print("\nFirst 20 steps of the first cohort, trained twice: digests", *result["cohortDigests"])


def plots(result):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plot
    staged = [r for r in result["rows"] if len(r["stages"]) > 1]
    domains, stages = result["domains"], ["base", *result["domains"][result["baseDomains"]:]]

    def save(figure, name):
        figure.tight_layout()
        for kind in ("png", "svg"):
            figure.savefig(os.path.join(BENCH, f"continual-{name}.{kind}"))

    if staged:
        figure, axes = plot.subplots(1, len(staged), figsize=(3.6 * len(staged), 3.8), squeeze=False)
        for axis, row in zip(axes[0], staged):
            axis.imshow(row["stages"], vmin=1.5, vmax=5, cmap="viridis_r", aspect="auto")
            axis.set_title(row["name"], fontsize=9)
            axis.set_xticks(range(len(domains)), domains, rotation=90, fontsize=7)
            axis.set_yticks(range(len(row["stages"])), stages, fontsize=7)
            for y, line in enumerate(row["stages"]):
                for x, value in enumerate(line):
                    axis.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=5)
        save(figure, "matrix")
        figure, axis = plot.subplots(figsize=(7, 4))
        for row in staged:
            axis.plot(stages, [sum(s) / len(s) for s in row["stages"]], marker="o", label=row["name"])
        for row in result["rows"]:
            if len(row["stages"]) == 1:
                mean = sum(row["stages"][0]) / len(domains)
                axis.axhline(mean, linestyle="--", linewidth=0.8, color="gray")
                axis.text(0, mean, row["name"], fontsize=7)
        axis.set_ylabel("bits per byte, mean of all domains")
        axis.legend(fontsize=7)
        save(figure, "stream")
    if result["gateUse"]:
        figure, axis = plot.subplots(figsize=(6, 3.6))
        bottom = [0.0] * len(domains)
        for index, name in enumerate(stages):
            share = [use[index] for use in result["gateUse"]]
            axis.bar(domains, share, bottom=bottom, label=name)
            bottom = [b + s for b, s in zip(bottom, share)]
        axis.tick_params(axis="x", rotation=60)
        axis.set_ylabel("share of bytes, gate's first pick")
        axis.legend(fontsize=7)
        save(figure, "use")


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="a base of 45 CPU-seconds, 8 kB of each test text")
parser.add_argument("--seconds", type=float, default=150, help="CPU-seconds of the base; a round takes a ninth")
parser.add_argument("--rows", nargs="*", help="rows to run (cambium sequential jointPeer jointDense replay1 replay5 "
                    "replay10 ewc lora)")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--no-pictures", action="store_true")
arguments = parser.parse_args()
stream = os.path.join(ROOT, "..", "shared", "data", "stream")
if not os.path.isdir(stream):
    sys.exit(f"continual: {stream} is absent; it holds the stream's texts")
command = [os.environ["CAMBIUM_CONTINUAL_BENCHMARK"], "--stream", stream, "--seed", str(arguments.seed), "--seconds",
           "45" if arguments.quick else str(arguments.seconds), "--bytes", "8000" if arguments.quick else "20000"]
if arguments.rows:
    command += ["--rows", *arguments.rows]
print("$", " ".join(command), file=sys.stderr)
result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
os.makedirs(BENCH, exist_ok=True)
json.dump(result, open(os.path.join(BENCH, "continual.json"), "w"), indent=1)
table(result)
if not arguments.no_pictures:
    plots(result)
