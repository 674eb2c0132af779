#!/usr/bin/python3
"""Turns the figures that tests/bench/run.sh prints (on stdin) into the tables of RESULTS.md.

One table per suite: a figure's last word is its column, what stands before it its row.
"""

import sys


def cell(value):
    number = float(value)
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.3f}" if number < 10 else f"{number:.1f}"


def read_figures(lines):
    """Rows by suite, in the order they came: {suite: {row: {column: cell}}}."""
    suites = {}
    for line in lines:
        name, value, _unit, _reference = line.rstrip("\n").split("\t")
        suite, _, rest = name.partition("/")
        row, _, column = rest.rpartition("/")
        suites.setdefault(suite, {}).setdefault(row, {})[column] = cell(value)
    return suites


def print_table(suite, rows):
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    print(f"| {suite}/ | {' | '.join(columns)} |")
    print(f"| --- |{' --: |' * len(columns)}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(row.get(column, '') for column in columns)} |")
    print()


def main():
    for suite, rows in read_figures(sys.stdin).items():
        print_table(suite, rows)


if __name__ == "__main__":
    main()
