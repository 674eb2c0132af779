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
tests=(elements formats gecko hostile kernels lossy plan rounding roundtrip terms tiers vectors container)

for tool in "$triple-gcc" qemu-aarch64; do
    command -v "$tool" >/dev/null || { echo "No $tool here." >&2; exit 77; }
done
for library in xxhash zstd cmocka; do
    [[ -e /usr/lib/$triple/lib$library.so ]] || { echo "No lib$library for $triple here." >&2; exit 77; }
done

cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSPILLWAY_CODEC_ONLY=ON \
    -DCMAKE_TOOLCHAIN_FILE="$root/tests/cross/aarch64.cmake" >/dev/null
cmake --build "$build" -- -j2 >/dev/null

failed=0
for test in "${tests[@]}"; do
    if qemu-aarch64 -L "/usr/$triple" "$build/tests/unit/test_codec_$test" >"$build/$test.log" 2>&1; then
        echo "$test: passed"
    else
        echo "$test: failed"
        tail -20 "$build/$test.log"
        failed=1
    fi
done
exit "$failed"
