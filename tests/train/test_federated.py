"""Federated averaging in its short form: every kind of exchange learns, and FP8 sends a quarter of the bytes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

RUN = Path(__file__).with_name("federated.sh")
ROUNDS = 3


def skip(reason: str) -> None:
    print(f"skipped: {reason}")
    sys.exit(77)


def last_round(out: str, mode: str) -> dict[str, float]:
    lines = (Path(out) / f"federated-iid-{mode}-1.jsonl").read_text().splitlines()
    assert len(lines) == ROUNDS, lines
    return json.loads(lines[-1])


def main() -> None:
    if reason := os.environ.get("SPILLWAY_SKIP"):
        skip(reason)
    for module in ("numpy", "torch", "grpc", "google.protobuf"):
        if importlib.util.find_spec(module) is None:
            skip(f"there is no Python module {module}")
    if not Path("/usr/share/datasets/fashion-mnist").is_dir():
        skip("there are no pictures to learn")
    with tempfile.TemporaryDirectory() as out:
        short = ["--seeds", "1", "--rounds", str(ROUNDS), "--split", "iid", "--", "--images", "4000", "--tests", "1000"]
        subprocess.run([RUN, "--build", sys.argv[1], "--out", out, *short], check=True, timeout=400)
        got = {mode: last_round(out, mode) for mode in ("fp32", "fp8", "fp8-biased")}
        print(got)
        for mode, figures in got.items():
            assert figures["accuracy"] > 35, f"{mode} learns nothing: {figures['accuracy']} %"
        assert got["fp32"]["bytes"] / got["fp8"]["bytes"] > 3.8, "FP8 takes a quarter of FP32, headers and biases counted"


if __name__ == "__main__":
    main()
