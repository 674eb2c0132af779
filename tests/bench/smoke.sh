#!/usr/bin/env bash
# smoke.sh SUITE FIGURE BUILD: whether the suite prints that figure, and it alone, as four columns with a positive value.
set -euo pipefail

lines=$("$(dirname "${BASH_SOURCE[0]}")/run.sh" "$1" --only "$2" --build "$3")
echo "$lines"
awk -F '\t' -v figure="$2" '
    NF != 4 || $1 != figure || $2 <= 0 || $3 == "" || $4 == "" { bad = 1 }
    END { exit bad || NR != 1 }' <<<"$lines"
