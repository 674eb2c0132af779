#!/usr/bin/env bash
# Fuzzes with libFuzzer: builds the preset `fuzz` with clang, which is installed if it is missing, and runs one target or
# all of them, SECONDS each (60 if not given), one after the other. What a target learns stays in
# build/fuzz/found/TARGET, and the next run starts from there and from tests/fuzz/corpus/TARGET, which it leaves as it
# is. Inputs that break something are in build/fuzz/broken/; the exit status is 1 if there are any.
#
#   tests/fuzz/run.sh [TARGET|all] [SECONDS]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh

known=(tests/fuzz/corpus/*/)
known=("${known[@]%/}")
known=("${known[@]##*/}")
wish=${1:-all}
seconds=${2:-60}
if [[ $wish == all ]]; then
    targets=("${known[@]}")
elif [[ " ${known[*]} " == *" $wish "* ]]; then
    targets=("$wish")
else
    echo "There is no target $wish. There are: ${known[*]}" >&2
    exit 2
fi

packages_install build fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j "$(nproc)" --target "${targets[@]/#/fuzzer_}" >/dev/null

export ASAN_OPTIONS=halt_on_error=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
broken=0
mkdir -p build/fuzz/broken
for target in "${targets[@]}"; do
    echo "== Fuzzing $target"
    mkdir -p "build/fuzz/found/$target"
    log=build/fuzz/$target.log
    # 128 KiB hold a chunk of each kind; larger ones only take longer.
    if ! "build/fuzz/tests/fuzz/fuzzer_$target" -max_total_time="$seconds" -max_len=131072 -timeout=30 \
        -rss_limit_mb=4096 -artifact_prefix="build/fuzz/broken/$target-" -print_final_stats=1 \
        "build/fuzz/found/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
        grep -v '^#' "$log" | tail -n 60
        broken=1
    fi
    grep -E '^(#[0-9]+[[:space:]]+DONE|stat::number_of_executed)' "$log" || true
done
exit "$broken"
