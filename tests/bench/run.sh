#!/usr/bin/env bash
# Runs a benchmark suite and prints its figures, four tab-separated columns each and nothing else, to stdout. See --help.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh

usage() {
    cat <<'USAGE'
Usage: tests/bench/run.sh SUITE [--data DIR] [--only GLOB] [--runs N] [--build DIR]

Prints one line per figure: name, value, unit, and what it was measured against in the same run.

  codec       per file and format: how small against the order-0 bound, how fast against memcpy, and the peers lz4,
              zstd, blosc, zfp and fpzip on the same bytes; codec/<data>/<format>/<tier>/<size>/<what>
  transport   spill and fetch of 4 KiB to 256 MiB through a spillwayd of its own: MB/s against memcpy, microseconds
              against a bare unix-socket ping-pong

  --data DIR   measure the .safetensors files in DIR too (default: $SPILLWAY_DATA, else synthetic data only); for the
               suite codec, and of no concern to transport
  --only GLOB  only figures whose name matches, as in --only 'codec/*/lossless/*/ratio'. A run measures every tier, 512 MiB
               and two threads for the main formats alone; a GLOB that spells out format, tier or size gets any other,
               as in --only 'codec/normal-f32/mxint8/avx2/512M/*'. A GLOB that no figure matches is an error
  --runs N     interleaved runs per median (9 to 101; default 9)
  --build DIR  take the programs of this build directory as they are; without it, installs what is missing and builds
               the preset `bench` first: optimised as `release` is, with symbols and these programs, in build/bench
USAGE
}

fail() {
    echo "run.sh: $*" >&2
    exit 2
}

suite=
data=${SPILLWAY_DATA:-}
named_by=SPILLWAY_DATA
only=
build=
options=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --help | -h) usage && exit 0 ;;
        --data | --only | --runs | --build)
            [[ $# -ge 2 ]] || fail "$1 takes a value"
            case $1 in
                --data) data=$2 named_by=--data ;;
                --build) build=$2 ;;
                --only) only=$2 options+=("$1" "$2") ;;
                *) options+=("$1" "$2") ;;
            esac
            shift
            ;;
        -*) fail "unknown option '$1'; try --help" ;;
        *) [[ -z $suite ]] || fail "one suite at a time, not '$suite' and '$1'"; suite=$1 ;;
    esac
    shift
done
case $suite in
    codec) targets=(bench_codec) ;;
    transport) targets=(bench_transport spillwayd) ;;
    '') fail "which suite: codec or transport? Try --help" ;;
    *) fail "no suite is called '$suite'; there are codec and transport" ;;
esac

files=()
if [[ $suite == codec && -n $data ]]; then
    [[ -d $data ]] || fail "$named_by: there is no directory '$data'"
    mapfile -t files < <(find -L "$data" -maxdepth 1 -name '*.safetensors' | sort)
    [[ ${#files[@]} -gt 0 ]] || fail "$named_by: no .safetensors files in '$data'"
fi

if [[ -z $build ]]; then
    mkdir -p build
    packages_install build bench
    build=build/bench
    {
        cmake --preset bench
        cmake --build --preset bench -j "$(nproc)" --target "${targets[@]}"
    } >build/bench.log 2>&1 || { tail -n 60 build/bench.log >&2 && exit 1; }
fi

# Hands the figures on, and fails if there were none.
figures() {
    awk '{ print; fflush() } END { exit NR == 0 }' && return
    [[ -z $only ]] || fail "no figure of the suite $suite matches '$only'; without --only they are all printed"
    fail "the suite $suite printed no figure"
}

case $suite in
    codec) "$build/tests/bench/bench_codec" "${options[@]}" -- "${files[@]}" | figures ;;
    transport) "$build/tests/bench/bench_transport" "${options[@]}" -- "$build/daemon/spillwayd" | figures ;;
esac
