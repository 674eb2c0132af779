#!/usr/bin/env bash
# Federated averaging through spillwayd, in FP8 and in FP32: how many bytes each takes to get as far. See --help.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh
# shellcheck source=tests/train/daemon.sh
source tests/train/daemon.sh

usage() {
    cat <<'USAGE'
Usage: tests/train/federated.sh [--seeds N] [--rounds N] [--split iid|dirichlet] [--out DIR] [--build DIR] [-- OPTION...]

Eight clients learn Fashion-MNIST together, each from a part of its own, and exchange weights through a spillwayd of their own
on a private socket: as FP32, as FP8 with unbiased rounding, and as FP8 rounded to nearest. Prints one line per figure: name,
value, unit, and a note. A run takes about a minute and a half on one core.

  --seeds N     runs of each kind, whose means count (default 3)
  --rounds N    default 30
  --split KIND  how images are dealt: iid, or by Dirichlet 0.3 for each class; without it, both
  --out DIR     where runs are kept (default build/train); one that ended is not run again
  --build DIR   take spillwayd and libspillway from this build directory; without it, installs what is missing and builds
                the preset `release` first
  OPTION...     of `federated.py run`, such as --epochs 2
USAGE
}

fail() {
    echo "federated.sh: $*" >&2
    exit 2
}

seeds=3
rounds=30
splits=(iid dirichlet)
out=build/train
build=
while [[ $# -gt 0 ]]; do
    case $1 in
        --help | -h) usage && exit 0 ;;
        --) shift && break ;;
        --seeds | --rounds | --split | --out | --build) [[ $# -ge 2 ]] || fail "$1 takes a value" ;;&
        --seeds) seeds=$2 && shift ;;
        --rounds) rounds=$2 && shift ;;
        --split) splits=("$2") && shift ;;
        --out) out=$2 && shift ;;
        --build) build=$2 && shift ;;
        *) fail "unknown option '$1'; try --help" ;;
    esac
    shift
done

build_find "$build"
daemon_start --memory 64M
protoc --python_out="$scratch" --proto_path=proto control.proto policy.proto spillway.proto
export SPILLWAY_LIBRARY=$build/client/libspillway.so PYTHONPATH=$scratch:client/python PYTHONDONTWRITEBYTECODE=1
export OMP_NUM_THREADS=1
federated() {
    /usr/bin/python3 tests/train/federated.py --out "$out" "$@"
}
for split in "${splits[@]}"; do
    for ((seed = 1; seed <= seeds; seed++)); do
        for mode in fp32 fp8 fp8-biased; do
            federated run "$split" "$mode" --seed "$seed" --rounds "$rounds" \
                --control "unix:$scratch/spillway-control.sock" "$@"
        done
    done
done
federated report --seeds "$seeds"
