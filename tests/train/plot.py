"""A run in one picture: bitlengths of each tensor over steps, and footprint against accuracy."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402


def plot_run(bits: list, place: Path) -> None:
    """bits: (step, {tensor: (mantissa, exponent)}) in order; place: where epochs.jsonl is, and bits.png will be."""
    epochs = [json.loads(line) for line in (place / "epochs.jsonl").read_text().splitlines()]
    figure, (mantissa, exponent, trade) = pyplot.subplots(1, 3, figsize=(17, 5))
    steps = [step for step, _ in bits]
    names = [name for name in bits[-1][1]]
    colours = pyplot.cm.viridis
    for which, axes, title in ((0, mantissa, "mantissa bits"), (1, exponent, "exponent bits")):
        for index, name in enumerate(names):
            values = [at.get(name, (None, None))[which] for _, at in bits]
            style = "--" if name.endswith("weight") else "-"
            axes.plot(steps, values, style, color=colours(index / max(1, len(names) - 1)), linewidth=0.8, label=name)
        axes.set(title=f"{title}, each tensor (weights dashed)", xlabel="step", ylim=(0, None))
    mantissa.legend(fontsize=4, ncol=2)
    accuracy = [epoch["accuracy"] for epoch in epochs]
    trade.plot([epoch["footprint_plain"] for epoch in epochs], accuracy, "o-", label="without exponent coding")
    trade.plot([epoch["footprint"] for epoch in epochs], accuracy, "s-", label="stored")
    for epoch in epochs:
        trade.annotate(epoch["epoch"], (epoch["footprint"], epoch["accuracy"]), fontsize=7)
    trade.set(title="each epoch", xlabel="FP32 bytes / bytes", ylabel="accuracy, %")
    trade.legend()
    figure.suptitle("/".join(place.parts[-3:]))
    figure.tight_layout()
    figure.savefig(place / "bits.png", dpi=110)
    pyplot.close(figure)
