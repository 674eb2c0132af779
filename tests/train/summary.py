#!/usr/bin/python3
"""Means over the seeds of all runs that have ended: a table for RESULTS.md.

    tests/train/summary.py [DIR]     DIR as run.sh's --out (default build/train)
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

_COLUMNS = ("footprint_plain", "footprint", "footprint_plain_final", "footprint_final", "mantissa_bits_final")


def results(directory: Path) -> dict[int, dict]:
    """By seed."""
    found = sorted(directory.glob("seed*/result.json"))
    return {int(path.parent.name.removeprefix("seed")): json.loads(path.read_text()) for path in found}


def spread(values: list[float], form: str) -> str:
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{form}}{deviation}"


def row(policy: str, runs: dict[int, dict], fp32: dict[int, dict]) -> str:
    of = list(runs.values())
    cells = [f"{statistics.mean(run[column] for run in of):.2f}" for column in _COLUMNS]
    # Of the same seeds, whichever have both runs.
    both = [seed for seed in runs if seed in fp32]
    points = [runs[seed]["accuracy"] - fp32[seed]["accuracy"] for seed in both]
    nats = [runs[seed]["test_loss"] - fp32[seed]["test_loss"] for seed in both]
    changes = [spread(points, "+.2f"), f"{statistics.mean(nats):+.3f}"] if both else ["", ""]
    seeds = ", ".join(map(str, sorted(runs)))
    restored = sum(run["restored"] for run in of)
    accuracy = spread([run["accuracy"] for run in of], ".2f")
    return f"| {policy} | {seeds} | {' | '.join(cells)} | {accuracy} | {' | '.join(changes)} | {restored} |"


def main() -> None:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "build/train")
    for model in sorted(path for path in out.iterdir() if path.is_dir()):
        fp32 = results(model / "fp32")
        print(f"\n### {model.name}\n")
        heads = "policy|seeds|plain|stored|plain, last epoch|stored, last epoch|mantissa bits|accuracy|points|nats|restored"
        print(f"| {heads.replace('|', ' | ')} |\n|{'---|' * (heads.count('|') + 1)}")
        for policy in sorted(path for path in model.iterdir() if path.is_dir()):
            if runs := results(policy):
                print(row(policy.name, runs, fp32))


if __name__ == "__main__":
    main()
