#!/usr/bin/python3
"""Draws the codec figures that tests/bench/run.sh prints (on stdin): speed against ratio, to the PNG named.

Encoding on the left, decoding on the right, F32 above BF16. Up and to the right is better.
"""

import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

DATA = ("normal-f32", "normal-bf16")
WAYS = (("encode_vs_memcpy", "encoding"), ("decode_vs_memcpy", "decoding"))
LOSSLESS = ("lossless", "raw", "gecko", "gecko-delta", "gecko-bias", "fpraker")
# Colour and marker. The first kinds get their names first, where names would cover each other.
KINDS = {
    "peers": ("tab:red", "s"),
    "lossless formats": ("tab:green", "o"),
    "Schrödinger's FP": ("tab:blue", "^"),
    "codes with scales": ("tab:gray", "."),
}


def kind_of(format_name, tier):
    if tier == "native":
        return "peers"
    if format_name in LOSSLESS:
        return "lossless formats"
    return "Schrödinger's FP" if format_name.startswith("sfp") else "codes with scales"


def read_figures(lines):
    """Of one thread and 16 MiB: {(data, format, tier): {what: value}}."""
    figures = {}
    for line in lines:
        name, value, _unit, _reference = line.rstrip("\n").split("\t")
        suite, data, format_name, tier, size, what = name.split("/")
        if suite == "codec" and size == "16M" and data in DATA:
            figures.setdefault((data, format_name, tier), {})[what] = float(value)
    return figures


def best_tier(figures):
    tiers = {tier for _data, _format, tier in figures}
    return next(tier for tier in ("avx512", "avx2", "scalar") if tier in tiers)


def name_points(axes, points):
    """Each name above its point, below it, or nowhere, so that none covers another."""
    taken = []
    for ratio, speed, name in points:
        x, y = axes.transData.transform((ratio, speed))
        for offset in (2, -7):
            box = (x, y + offset, x + 4 * len(name), y + offset + 8)
            if all(box[0] > b[2] or b[0] > box[2] or box[1] > b[3] or b[1] > box[3] for b in taken):
                taken.append(box)
                axes.annotate(name, (ratio, speed), fontsize=6, xytext=(3, offset), textcoords="offset points")
                break


def draw(axes, figures, data, tier, what):
    named = []
    for kind, (colour, marker) in KINDS.items():
        points = [
            (found["ratio"], found[what], name)
            for (of, name, on), found in figures.items()
            if of == data and on in (tier, "native") and kind_of(name, on) == kind and {what, "ratio"} <= found.keys()
        ]
        axes.scatter([p[0] for p in points], [p[1] for p in points], s=18, color=colour, marker=marker, label=kind)
        named += points
    axes.axhline(1, color="black", linewidth=0.5)
    axes.set(xscale="log", yscale="log")
    ticks = (1, 1.2, 1.5, 2, 3, 4, 6, 8, 16, 32)
    axes.set_xlim(0.85, 52)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.2)
    return named


def main():
    if len(sys.argv) != 2:
        sys.exit("Usage: tests/bench/run.sh codec | tests/bench/plot.py FILE.png")
    figures = read_figures(sys.stdin)
    if not figures:
        sys.exit("plot.py: no codec figures of synthetic data on stdin")
    tier = best_tier(figures)
    figure, grid = pyplot.subplots(2, 2, figsize=(12, 11), sharex="row", sharey="row")
    names = []
    for data, row in zip(DATA, grid):
        for (what, label), axes in zip(WAYS, row):
            names.append((axes, draw(axes, figures, data, tier, what)))
            axes.set_title(f"{data}, {label}, {tier}, 16 MiB", fontsize=9)
            axes.set_xlabel("ratio to raw")
        row[0].set_ylabel("speed, memcpy = 1")
    grid[0][0].legend(fontsize=7, loc="lower right")
    figure.tight_layout()
    for axes, points in names:  # where points lie is known only now
        name_points(axes, points)
    figure.savefig(sys.argv[1], dpi=90)


if __name__ == "__main__":
    main()
