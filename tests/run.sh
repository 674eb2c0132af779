#!/usr/bin/env bash
# Builds and tests everything: all of ctest in the presets dev and asan, the unit and system tests in tsan; with dev also
# the codec on aarch64, in an emulator. Installs the Debian packages that are missing. The last line is
# `N passed, N failed`; exit status 0 when nothing failed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh

# torch's threads spin while they wait, on the cores that the daemon under test needs.
export OMP_WAIT_POLICY=passive
export ASAN_OPTIONS=halt_on_error=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# gRPC and libmicrohttpd are not instrumented: what they do among themselves is not seen, and not reported.
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:ignore_noninstrumented_modules=1

passed=0
failed=0
summary=()

# count PRESET REPORT STATUS adds the counts of the JUnit report of a ctest that ended so. Skipped tests are in neither
# count. A test whose program is missing is among the skipped in the report, and only the status tells.
count() {
    local name=$1 report=$2 status=$3 suite tests failures skipped disabled
    suite=$(grep -o '<testsuite [^>]*>' <(tr '\n' ' ' <"$report"))
    tests=$(grep -oP '\btests="\K\d+' <<<"$suite")
    failures=$(grep -oP '\bfailures="\K\d+' <<<"$suite")
    skipped=$(grep -oP '\bskipped="\K\d+' <<<"$suite")
    disabled=$(grep -oP '\bdisabled="\K\d+' <<<"$suite")
    skipped=$((skipped + disabled))
    tests=$((tests - failures - skipped))
    [[ $status == 0 || $failures -gt 0 ]] || failures=1
    passed=$((passed + tests))
    failed=$((failed + failures))
    summary+=("$name: $tests passed, $failures failed, $skipped skipped")
}

# build PRESET [cmake options]
build() {
    local preset=$1 log=build/$1.log
    shift
    echo "== Building $preset"
    mkdir -p build
    if ! { cmake --preset "$preset" "$@" && cmake --build --preset "$preset" -j "$(nproc)"; } >"$log" 2>&1; then
        tail -n 60 "$log"
        return 1
    fi
}

# run PRESET [ctest options]: a build that fails, or a run that gives no report, counts as one failure.
run() {
    local preset=$1 report=$PWD/build/$1/junit.xml status=0
    shift
    if ! build "$preset" "${options[@]}"; then
        failed=$((failed + 1))
        summary+=("$preset: did not build")
        return
    fi
    echo "== Testing $preset"
    rm -f "$report"
    "${wrapper[@]}" ctest --preset "$preset" --output-junit "$report" "$@" || status=$?
    if [[ -s $report ]]; then
        count "$preset" "$report" "$status"
    else
        failed=$((failed + 1))
        summary+=("$preset: ctest gave no report")
    fi
}

packages_install build test demo train
# Not every mirror has another architecture: without it, the test says so and is skipped.
packages_install cross || echo "The codec will not be tested on aarch64." >&2

wrapper=()
options=(-DSPILLWAY_TEST_CROSS=ON)
run dev
options=()
run asan
# GCC's ThreadSanitizer cannot start under the address space randomisation of newer kernels.
setarch --addr-no-randomize true 2>/dev/null && wrapper=(setarch --addr-no-randomize)
run tsan -L '^(unit|system)$'

echo
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
