"""Compares the demo's two training runs: a table for people, one line for machines, exit status 0 when all is well.

Usage: demo_report.py PLAIN.json OFFLOAD.json DAEMON.json
"""

import json
import sys


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def size(count):
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"


def kept_text(kept):
    """Why tensors stayed in the process, but for parameters and small ones, which always do."""
    others = {reason: count for reason, count in kept.items() if reason not in ("parameter", "small")}
    return ", ".join(f"{count} {reason}" for reason, count in sorted(others.items())) or "0"


def first_difference(plain, offload):
    for step, (a, b) in enumerate(zip(plain["losses"], offload["losses"]), start=1):
        if a != b:
            return f"from step {step} on: {float.fromhex(a)!r} against {float.fromhex(b)!r}"
    return "in their number"


def main():
    plain, offload, daemon = (load(path) for path in sys.argv[1:4])
    spill = offload["spill"]
    losses_same = plain["losses"] == offload["losses"]
    weights_same = plain["weights_sha256"] == offload["weights_sha256"]
    checksum_failures = daemon["checksum_failures"]
    failures = spill["failures"] + checksum_failures
    ratio = spill["raw_bytes"] / max(1, spill["stored_bytes"])
    step_ratio = offload["step_seconds"] / plain["step_seconds"]

    rows = [
        ("", "plain torch", "with Spillway"),
        ("steps", plain["steps"], offload["steps"]),
        ("last loss", f"{plain['last_loss']:.6f}", f"{offload['last_loss']:.6f}"),
        ("losses identical to the bit", "", "yes" if losses_same else "NO"),
        ("final weights identical to the bit", "", "yes" if weights_same else "NO"),
        ("tensors spilled", "", f"{spill['spilled_tensors']:,}"),
        ("bytes spilled", "", size(spill["raw_bytes"])),
        ("bytes stored", "", size(spill["stored_bytes"])),
        ("compression ratio", "", f"{ratio:.3f}"),
        ("tensors kept back (small ones aside)", "", kept_text(spill["kept"])),
        ("trainer's own memory, peak", size(plain["peak_bytes"]), size(offload["peak_bytes"])),
        ("time per step, median", f"{plain['step_seconds'] * 1e3:.1f} ms", f"{offload['step_seconds'] * 1e3:.1f} ms"),
        ("checksum failures", "", checksum_failures),
        ("other failures", "", spill["failures"]),
    ]
    name_width = max(len(row[0]) for row in rows)
    print()
    for name, left, right in rows:
        print(f"  {name:<{name_width}}  {left!s:>14}  {right!s:>14}")
    print()
    if not losses_same:
        print(f"The losses differ {first_difference(plain, offload)}.", file=sys.stderr)
    if spill["spilled_tensors"] == 0:
        print("Nothing was spilled: every tensor stayed in the process.", file=sys.stderr)

    identical = losses_same and weights_same
    print(
        f"demo: losses_identical={'yes' if identical else 'no'} spilled_tensors={spill['spilled_tensors']}"
        f" raw_bytes={spill['raw_bytes']} stored_bytes={spill['stored_bytes']} ratio={ratio:.3f}"
        f" step_ratio={step_ratio:.2f} trainer_peak_plain={plain['peak_bytes']}"
        f" trainer_peak_offload={offload['peak_bytes']} failures={failures}"
    )
    return 0 if identical and failures == 0 and spill["spilled_tensors"] > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
