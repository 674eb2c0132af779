"""A few policies in their short form, by the command that people use. Lines are wide: short runs are noisy."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

RUN = Path(__file__).with_name("run.sh")

# Least footprints by the cost function and as stored, over the whole run and in the last epoch; most points lost.
LINES = {
    "qm+qe": {"footprint_plain": 4.0, "footprint_plain_final": 4.5, "footprint_final": 6.0, "lost": 4.0},
    "bitwave-paired": {"footprint_plain": 2.5, "footprint": 4.0, "lost": 4.0},
    "saved-m1e4": {"footprint": 5.0, "lost": 3.0},
}


def skip(reason: str) -> None:
    print(f"skipped: {reason}")
    sys.exit(77)


def figures(build: str, policy: str, out: str) -> dict[str, float]:
    command = [RUN, "resnet", policy, "--quick", "--build", build, "--out", out]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=800)
    if done.returncode == 77:
        skip("there are no pictures to learn")
    assert done.returncode == 0, f"{policy}: exit status {done.returncode}"
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert all(len(line) == 4 for line in lines), done.stdout
    print(done.stdout, end="")
    return {name.rsplit("/", 1)[1]: float(value) for name, value, _, _ in lines}


def main() -> None:
    if reason := os.environ.get("SPILLWAY_SKIP"):
        skip(reason)
    for module in ("numpy", "torch", "matplotlib"):
        if importlib.util.find_spec(module) is None:
            skip(f"there is no Python module {module}")
    with tempfile.TemporaryDirectory() as out:
        for policy, least in LINES.items():
            got = figures(sys.argv[1], policy, out)
            lost = -got["accuracy_delta"]
            assert lost <= least["lost"], f"{policy} loses {lost} points"
            for name, value in least.items():
                assert name == "lost" or got[name] >= value, f"{policy}: {name} is {got[name]}, below {value}"
        assert (Path(out) / "resnet/qm+qe/quick1/bits.png").stat().st_size > 1000
        # What is there is not trained again.
        assert figures(sys.argv[1], "qm+qe", out)["footprint"] >= 4


if __name__ == "__main__":
    main()
