#!/usr/bin/python3
"""Turns the codec figures that tests/bench/run.sh prints (on stdin) into the tables of RESULTS.md, but for that of goals."""

import sys

from goals import KEY_FORMATS, read_figures
from table import cell

SYNTHETIC = ("normal-f32", "normal-bf16")
PEERS = ("lz4", "zstd1", "zstd3", "zstd1-shuffle", "zstd3-shuffle", "blosc-lz4", "blosc-zstd", "zfp", "fpzip")


def unique(names):
    return list(dict.fromkeys(names))


def print_table(first, columns, rows):
    print(f"| {first} | {' | '.join(columns)} |")
    print(f"| --- |{' --: |' * len(columns)}")
    for name, cells in rows:
        print(f"| {name} | {' | '.join(cells)} |")
    print()


def cells_of(figures, names):
    return [cell(figures[name]) if name in figures else "" for name in names]


def ways(figures, group, what):
    """encode / decode of one figure, as there are."""
    both = [figures.get(f"{group}/{way}_{what}") for way in ("encode", "decode")]
    return " / ".join("-" if value is None else f"{value:.2f}" for value in both) if any(both) else ""


def print_lossless(figures):
    columns = ("ratio", "bound", "encode_vs_memcpy", "decode_vs_memcpy", "encode_mb_s", "decode_mb_s")
    data = unique(name.partition("/")[0] for name in figures if "/lossless/avx512/16M/ratio" in name)
    print("### Lossless\n")
    print_table("lossless", columns,
                [(d, cells_of(figures, [f"{d}/lossless/avx512/16M/{column}" for column in columns])) for d in data])


def print_peers(figures):
    data = (*SYNTHETIC, "activations-f32", "activations-bf16")
    columns = [(d, what) for d in data for what in ("ratio", "encode_mb_s", "decode_mb_s")]
    rows = []
    for name in ("lossless", *PEERS):
        tier = "avx512" if name == "lossless" else "native"
        rows.append((name, cells_of(figures, [f"{d}/{name}/{tier}/16M/{what}" for d, what in columns])))
    print("### Peers\n")
    print_table("", [f"{d} {what.removesuffix('_mb_s')}" for d, what in columns], rows)


def print_tiers(figures):
    sizes = (("scalar", "16M"), ("avx2", "16M"), ("avx512", "16M"), ("avx512", "512M"))
    rows = []
    for name in (f"{d}/{form}" for d in SYNTHETIC for form in KEY_FORMATS):
        cells = [ways(figures, f"{name}/{tier}/{size}", "vs_memcpy") for tier, size in sizes]
        rows.append((name, [*cells, ways(figures, f"{name}/avx512/16M-t2", "scaling")]))
    print("### Tiers, large sets, threads\n")
    print_table("encode / decode", [*(" ".join(size) for size in sizes), "16M-t2 over one thread"], rows)


def print_formats(figures):
    formats = unique(name.split("/")[1] for name in figures if name.startswith("normal-f32/") and "/avx512/16M/" in name)
    columns = ("ratio", "encode_vs_memcpy", "decode_vs_memcpy", "summary_vs_memcpy")
    rows = [(form, cells_of(figures, [f"{d}/{form}/avx512/16M/{column}" for d in SYNTHETIC for column in columns]))
            for form in formats]
    print("### Every format\n")
    print_table("16M, avx512", [f"{d} {column.partition('_')[0]}" for d in SYNTHETIC for column in columns], rows)


def main():
    figures = read_figures(sys.stdin)
    for print_part in (print_lossless, print_peers, print_tiers, print_formats):
        print_part(figures)


if __name__ == "__main__":
    main()
