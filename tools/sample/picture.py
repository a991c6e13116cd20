"""Draws the bars of `cambium eval --json`: python3 tools/sample/picture.py EVAL.json OUT.svg

Needs matplotlib; without it, it says so and draws nothing.
"""
import json, sys


def main():
    try:
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as plot
    except ImportError:
        print("no picture: it needs matplotlib (pip install matplotlib)")
        return
    rows = json.load(open(sys.argv[1]))["rows"]
    texts = list(dict.fromkeys(row["name"] for row in rows))
    revisions = list(dict.fromkeys(row["revision"] for row in rows))
    figure, axis = plot.subplots(figsize=(7, 3.6))
    width = 0.8 / len(revisions)
    for index, revision in enumerate(revisions):
        values = [row["bitsPerByte"] for text in texts for row in rows
                  if (row["revision"], row["name"]) == (revision, text)]
        label = {"main~1": "base", "main": "merged"}.get(revision, revision)
        axis.bar([x + index * width for x in range(len(texts))], values, width, label=label)
    axis.set_xticks([x + 0.4 - width / 2 for x in range(len(texts))], texts)
    axis.set_ylabel("bits per byte")
    axis.legend(fontsize=8)
    figure.tight_layout()
    for path in (sys.argv[2], sys.argv[2].rsplit(".", 1)[0] + ".png"):
        figure.savefig(path)
        print("drew", path)


if __name__ == "__main__":
    main()
