#!/usr/bin/python3
"""Turns the codec figures that tests/bench/run.sh prints (on stdin) into RESULTS.md's table of goals."""

import statistics
import sys

BOTH = ("16M", "512M")
SMALL = ("16M",)
# data/format/tier, what, sizes, must, stretch: goals that are figures as they are printed.
FIGURES = (
    ("normal-f32/sfp-1-4-2/avx512", "encode_vs_memcpy", BOTH, (1.6, 1.0), (1.9, 1.25)),
    ("normal-f32/sfp-1-4-2/avx512", "decode_vs_memcpy", BOTH, (1.5, 1.5), (1.8, 1.9)),
    ("normal-bf16/sfp-1-4-2/avx512", "encode_vs_memcpy", BOTH, (1.4, 0.8), (1.7, 0.95)),
    ("normal-bf16/sfp-1-4-2/avx512", "decode_vs_memcpy", BOTH, (1.3, 1.2), (1.6, 1.5)),
    ("normal-bf16/lossless/avx512", "encode_vs_memcpy", BOTH, (0.55, 0.50), (0.80, 0.75)),
    ("normal-bf16/lossless/avx512", "decode_vs_memcpy", BOTH, (1.0, 0.9), (1.2, 1.1)),
    ("normal-f32/lossless/avx512", "encode_vs_memcpy", BOTH, (0.75, 0.50), (0.95, 0.80)),
    ("normal-f32/lossless/avx512", "decode_vs_memcpy", BOTH, (0.90, 0.80), (1.0, 0.95)),
    ("normal-f32/sfp-1-x-2/avx512", "ratio", SMALL, (5.45,), (5.65,)),
    ("normal-f32/sfp-1-x-2/avx512", "encode_vs_memcpy", BOTH, (0.55, 0.50), (0.85, 0.75)),
    ("normal-f32/sfp-1-x-2/avx512", "decode_vs_memcpy", BOTH, (1.2, 1.2), (1.4, 1.5)),
    ("normal-bf16/gecko/avx512", "encode_vs_memcpy", BOTH, (0.80, 0.55), (1.0, 0.8)),
    ("normal-bf16/gecko/avx512", "decode_vs_memcpy", BOTH, (0.95, 0.9), (1.05, 1.1)),
    ("relu50-bf16/lossless/avx512", "ratio", SMALL, (2.45,), (2.7,)),
    ("relu50-f32/sfp-0-4-2/avx512", "ratio", SMALL, (7.8,), (7.95,)),
    ("relu50-bf16/lossless/avx512", "encode_vs_memcpy", SMALL, (0.55,), (0.80,)),
    ("normal-f32/sfp-1-4-2/avx2", "encode_vs_memcpy", SMALL, (0.9,), (1.1,)),
    ("normal-f32/sfp-1-4-2/avx2", "decode_vs_memcpy", SMALL, (0.9,), (1.1,)),
    ("normal-bf16/lossless/avx2", "decode_vs_memcpy", SMALL, (0.35,), (0.5,)),
)
# Formats of one goal: measured is their range.
FAMILIES = {
    "Block Minifloat": ("bm8", "bm6", "bm5", "bm4"),
    "MX and NVFP4": ("mxfp8-e5m2", "mxfp8-e4m3", "mxfp6-e3m2", "mxfp6-e2m3", "mxfp4-e2m1", "mxint8", "nvfp4"),
    "minifloat": ("e5m2", "e4m3", "e3m2", "e2m1", "e4m3-c", "e2m1-c"),
    "FP8": ("fp8uq-e4m3", "fp8uq-e5m2"),
}
KEY_FORMATS = ("lossless", "gecko", "sfp-1-4-2", "sfp-1-x-2")


def read_figures(lines):
    """{data/format/tier/size/what: value}"""
    figures = {}
    for line in lines:
        name, value, _unit, _reference = line.rstrip("\n").split("\t")
        suite, _, rest = name.partition("/")
        if suite == "codec":
            figures[rest] = float(value)
    return figures


def numbers(values):
    return " / ".join("-" if value is None else f"{value:.3g}" for value in values)


def span(values):
    return f"{min(values):.2f} - {max(values):.2f}"


def print_row(label, must, stretch, measured, met):
    print(f"| {label} | {must} | {stretch} | {measured} | {met} |")


def print_listed(figures):
    for subject, what, sizes, must, stretch in FIGURES:
        measured = [figures.get(f"{subject}/{size}/{what}") for size in sizes]
        met = all(value is not None and value >= goal for value, goal in zip(measured, must))
        print_row(f"{subject}/.../{what}", numbers(must), numbers(stretch), numbers(measured), "yes" if met else "no")


def print_families(figures):
    for family, formats in FAMILIES.items():
        for what, must, stretch in (("encode", 0.8, 1.2), ("decode", 1.0, 1.4)):
            measured = [figures[f"normal-f32/{name}/avx512/16M/{what}_vs_memcpy"] for name in formats]
            met = sum(value >= must for value in measured)
            label = f"{family} from F32, 16M, {what} ({len(formats)} formats)"
            print_row(label, must, stretch, span(measured), "yes" if met == len(formats) else f"{met} of them")


def files_of(figures, what):
    """Of weights, gradients and optimizer state: {file: ratio over bound}."""
    ratios = {}
    for name, value in figures.items():
        data, _, rest = name.partition("/")
        if rest == f"lossless/avx512/16M/{what}ratio" and ("_wg" in data or "_weights_" in data):
            ratios[data] = value / figures[f"{data}/lossless/avx512/16M/{what}bound"]
    return ratios


def print_bounds(figures):
    for label, what, must in (("tensors of 16 Ki values and more", "large_", 0.98), ("whole files", "", 0.97)):
        ratios = files_of(figures, what)
        if ratios:
            met = sum(value >= must for value in ratios.values())
            print_row(f"lossless ratio over bound, {label}, by file", must, "above 1", span(ratios.values()),
                      "yes" if met == len(ratios) else f"{met} of {len(ratios)}")


def print_activations(figures):
    for kind, must in (("bf16", 0.90), ("f32", 0.88)):
        ours, theirs = f"activations-{kind}/lossless/avx512/16M", f"activations-{kind}/zstd3-shuffle/native/16M"
        if f"{theirs}/ratio" not in figures:
            continue
        quotient = figures[f"{ours}/ratio"] / figures[f"{theirs}/ratio"]
        print_row(f"activations-{kind}: lossless ratio over zstd3-shuffle's", must, "1.0", f"{quotient:.3f}",
                  "yes" if quotient >= must else "no")
        times = [figures[f"{ours}/{way}_mb_s"] / figures[f"{theirs}/{way}_mb_s"] for way in ("encode", "decode")]
        print_row(f"activations-{kind}: its speed, encoding / decoding", "10 / 10", "15 / 15",
                  " / ".join(f"{value:.1f}" for value in times), "yes" if min(times) >= 10 else "no")


def print_rounding(figures):
    def speed(name, what):
        return figures[f"normal-f32/{name}/avx512/16M/{what}_vs_memcpy"]

    for suffix, label in (("rne", "nearest-even"), ("sr", "stochastic")):
        loss = 1 - speed(f"sfp-1-4-2-{suffix}", "encode") / speed("sfp-1-4-2", "encode")
        print_row(f"{label} rounding, loss of encoding speed (sfp-1-4-2, F32)", "8 %", "3 %", f"{loss:.1%}",
                  "yes" if loss <= 0.08 else "no")


def print_checksums(figures):
    shares = [
        figures[f"{data}/{name}/avx512/16M/checksum_share"]
        for data in ("normal-f32", "normal-bf16")
        for name in KEY_FORMATS
    ]
    print_row("checksum's share of encoding (main formats)", "12 %", "6 %",
              f"{min(shares):.1%} - {max(shares):.1%}", "yes" if max(shares) <= 0.12 else "no")


def print_threads(figures):
    gains = [
        figures[f"{data}/{name}/avx512/16M-t2/{way}_scaling"]
        for data in ("normal-f32", "normal-bf16")
        for name in KEY_FORMATS
        for way in ("encode", "decode")
    ]
    print_row("16M-t2 over 16M (main formats, both ways): median; range", "1.85", "1.95",
              f"{statistics.median(gains):.2f}; {span(gains)}",
              "yes" if min(gains) >= 1.85 else f"{sum(gain >= 1.85 for gain in gains)} of {len(gains)}")


def main():
    figures = read_figures(sys.stdin)
    print("| figure | must | stretch | measured | met |")
    print("| --- | --: | --: | --: | --- |")
    for print_part in (print_listed, print_families, print_bounds, print_activations, print_rounding, print_checksums,
                       print_threads):
        print_part(figures)


if __name__ == "__main__":
    main()
