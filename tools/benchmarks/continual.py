"""Continual learning on eight domains one after another: cohorts on a frozen base beside the baselines.

    tools/bench continual [--quick] [--peers] [--seconds S] [--rows ROW ...] [--seed N] [--json FILE] [--data DIR]

A cohort must have the same digest in a sequence of rounds and on a branch of its own, and the gate in any
order of its counts, else the exit code is 1.
"""
import argparse, json, os, shlex, subprocess, sys

import bench_peers

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BENCH = os.path.join(ROOT, ".build", "bench")
OPTIONS = ("base", "rate", "windows", "cohort-windows", "cohort-rate", "counts", "ewc", "lwf", "sub-keys", "edited-experts", "paces")
STREAM = os.path.join(os.path.dirname(os.path.abspath(ROOT)), "shared", "data", "stream")


def measures(result, row):
    """Mean bits per byte after the stream, forgetting (mean and greatest), BWT and FWT in bits.

    Positive BWT and FWT are good; a row of merged branches learns all new domains in one stage.
    """
    stages, base = row["stages"], result["baseDomains"]
    final = stages[-1]
    mean = sum(final) / len(final)
    if len(stages) == 1:
        return mean, None, None, None, None
    learnt = {d: min(max(0, d - base + 1), len(stages) - 1) for d in range(len(final))}
    earlier = [d for d in range(len(final)) if learnt[d] < len(stages) - 1]
    lost = [final[d] - min(s[d] for s in stages[learnt[d]:]) for d in earlier]
    forgetting = sum(lost) / len(lost)
    bwt = sum(stages[learnt[d]][d] - final[d] for d in earlier) / len(earlier)
    new = range(base, len(final))
    fwt = sum(stages[0][d] - stages[learnt[d] - 1][d] for d in new) / len(new)
    return mean, forgetting, max(lost), bwt, fwt


def has_counts(row): return row["name"].endswith("counts")


def table(result):
    # Like with like: rows with counts beside joint rows with counts.
    best = {}
    for row in result["rows"]:
        if row["name"].startswith("joint"):
            key, mean = has_counts(row), measures(result, row)[0]
            best[key] = min(best.get(key, mean), mean)
    head = ["row", *result["domains"], "mean", "/ best joint", "forgetting", "worst", "BWT", "FWT", "parameters", "active",
            "state MB", "replay MB", "CPU-s", "steps"]
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in result["rows"]:
        mean, *rest = measures(result, row)
        cells = [row["name"], *(f"{x:.3f}" for x in row["stages"][-1]), f"{mean:.3f}",
                 f"{mean / best[has_counts(row)]:.3f}" if has_counts(row) in best else "", *("" if x is None else f"{x:.3f}" for x in rest),
                 f"{row['parameters']:,}", f"{row['activeParameters']:,}", f"{row['stateBytes'] / 1e6:.1f}",
                 f"{row['replayBytes'] / 1e6:.1f}", f"{row['processorSeconds']:.0f}", str(row["steps"])]
        print("| " + " | ".join(cells) + " |")
    digests = result["cohortDigests"]
    if digests:
        same = sum(a == b for a, b in zip(digests[::2], digests[1::2]))
        gates = result["gateDigests"]
        same_gates = sum(a == b for a, b in zip(gates[::2], gates[1::2]))
        print(f"\n{same} of {len(digests) // 2} cohorts have the same bits one after another and on branches of "
              f"their own; {same_gates} of {len(gates) // 2} gates whichever order their counts were added in")


def plots(result):
    try:
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as plot
    except ImportError:
        print("\nno pictures: they need matplotlib (see --peers)")
        return
    matplotlib.rcParams["svg.hashsalt"] = "cambium"
    domains, stages = result["domains"], ["base", *result["domains"][result["baseDomains"]:]]
    # Labels and counts have their rows in the table; here they would hide the others.
    staged = [r for r in result["rows"] if len(r["stages"]) == len(stages)
              and ("labels" not in r["name"] or r["name"].startswith("LoRA"))
              and (not has_counts(r) or r["name"] in ("Cambium, counts", "no model, counts"))]

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
        figure, axis = plot.subplots(figsize=(9, 4.6))
        colours = plot.get_cmap("tab20").colors
        for number, row in enumerate(staged):
            means = [sum(s) / len(s) for s in row["stages"]]
            axis.plot(stages, means, marker="o", label=row["name"], color=colours[number % len(colours)])
        for row in result["rows"]:
            if len(row["stages"]) == 1 and (not has_counts(row) or "experts" in row["name"]):
                mean = sum(row["stages"][0]) / len(domains)
                axis.axhline(mean, linestyle="--", linewidth=0.8, color="gray")
                axis.text(0, mean, row["name"], fontsize=7)
        axis.set_ylabel("bits per byte, mean of all domains")
        axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
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


def main():
    parser = argparse.ArgumentParser(prog="tools/bench continual")
    parser.add_argument("--quick", action="store_true", help="an eighth is 3 CPU-seconds, 8 kB of each test text")
    parser.add_argument("--peers", action="store_true", help="first install what draws the pictures")
    parser.add_argument("--seconds", type=float, default=40, help="an eighth of all CPU-seconds; the base takes four, "
                        "the rounds share the others")
    parser.add_argument("--order", type=int, default=0, help="order of the new domains: 0, 1 or 2")
    parser.add_argument("--part", default="test", choices=["test", "valid"], help="what is evaluated; choose on valid")
    for name in OPTIONS: parser.add_argument("--" + name, help="see docs/continual.md")
    parser.add_argument("--rows", nargs="*", help="rows to run (cambium cambiumMerged cambiumDense counts sequential "
                        "jointPeer jointDense jointLarge replay1 replay5 replay10 ewc lwf lora neurons swiglu edited)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bytes", type=int, default=20_000, help="bytes of each text that are evaluated")
    parser.add_argument("--json", default=os.path.join(BENCH, "continual.json"))
    parser.add_argument("--data", default=STREAM, help="folder with one folder of texts for each domain")
    args = parser.parse_args()
    bench_peers.use_python(args.peers, "requirements-inference.txt", "bench-python-inference")
    if not os.path.isdir(args.data): sys.exit(f"bench: {args.data} is absent; --data names the folder of the texts")
    seconds, size = ("3", "8000") if args.quick else (str(args.seconds), str(args.bytes))
    command = [os.environ["CAMBIUM_CONTINUAL_BENCHMARK"], "--stream", args.data, "--seed", str(args.seed),
               "--seconds", seconds, "--bytes", size, "--order", str(args.order), "--part", args.part]
    for name in OPTIONS:
        value = getattr(args, name.replace("-", "_"))
        if value: command += ["--" + name, value]
    if args.rows: command += ["--rows", *args.rows]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    if done.returncode != 0: sys.exit(1)
    result = json.loads(done.stdout)
    result["command"] = shlex.join(["tools/bench", "continual", *sys.argv[1:]])
    os.makedirs(os.path.dirname(os.path.abspath(args.json)), exist_ok=True)
    with open(args.json, "w") as file: json.dump(result, file, indent=1)
    table(result)
    os.makedirs(BENCH, exist_ok=True)
    plots(result)
    print(f"\nrepeat with: {result['command']}")
    for digests in (result["cohortDigests"], result["gateDigests"]):
        if digests[::2] != digests[1::2]: sys.exit("bench: digests differ")


if __name__ == "__main__":
    main()
