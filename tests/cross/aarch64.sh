#!/usr/bin/env bash
# Builds the codec and its unit tests for aarch64 and runs them under an emulator: no tier but portable C is there, and
# chars are unsigned. Needs gcc-aarch64-linux-gnu, qemu-user, and libxxhash-dev, libzstd-dev and libcmocka-dev of arm64. Exit 77:
# something of that is missing.
#
#   tests/cross/aarch64.sh BUILD_DIR
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:?usage: tests/cross/aarch64.sh BUILD_DIR}
triple=aarch64-linux-gnu
tests=(formats roundtrip elements fpraker gecko hostile kernels lossy plan rounding terms tiers vectors container)

for tool in "$triple-gcc" qemu-aarch64; do
    command -v "$tool" >/dev/null || { echo "No $tool here." >&2; exit 77; }
done
for library in xxhash zstd cmocka; do
    [[ -e /usr/lib/$triple/lib$library.so ]] || { echo "No lib$library for $triple here." >&2; exit 77; }
done

cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSPILLWAY_CODEC_ONLY=ON \
    -DCMAKE_TOOLCHAIN_FILE="$root/tests/cross/aarch64.cmake" >/dev/null
cmake --build "$build" -j "$(nproc)" >/dev/null

# What is statistics, or the same for any architecture over millions of values, would take most of the time.
export SPILLWAY_TEST_PART=1
export SPILLWAY_TEST_SKIP=test_unbiased
test_run() {
    local skip=$SPILLWAY_TEST_SKIP
    [[ $1 != roundtrip ]] || skip=test_ten_million_f32_words
    if SPILLWAY_TEST_SKIP=$skip qemu-aarch64 -L "/usr/$triple" "$build/tests/unit/test_codec_$1" >"$build/$1.log" 2>&1
    then
        echo "$1: passed"
    else
        echo "$1: failed"
        tail -20 "$build/$1.log"
        return 1
    fi
}
export -f test_run
export build triple
printf '%s\n' "${tests[@]}" | xargs -P "$(nproc)" -I '{}' bash -c 'test_run {}'
