#!/usr/bin/env bash
# Trains a network under a policy, with its tensors in a spillwayd, and prints what that saved and what it cost. See --help.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh
# shellcheck source=tests/train/daemon.sh
source tests/train/daemon.sh

usage() {
    cat <<'USAGE'
Usage: tests/train/run.sh MODEL POLICY [--quick] [--seed N] [--out DIR] [--set JSON] [--build DIR]

Trains on one core, from a fixed seed, with all weights and activations that the backward pass needs kept in a spillwayd of
its own on a private socket. Prints one line per figure: name, value, unit, and a note. Takes 1 to 5 minutes.

  MODEL   resnet  ResNet-8 on 12,000 images of Fashion-MNIST, 10 epochs
          vit     a small vision transformer on the same
          gpt     a character-level transformer on the licence texts that every Debian system has
  POLICY  fp32, bf16, lossless
          qm, qm+qe      Quantum Mantissa; with Quantum Exponent
          bitchop, bitwave, bitwave-paired, bitpruning
          bm8, bm6, bm5, bm4   Block Minifloat: forward, backward and gradients
          m2e3, m2e3-rne       constant bitlengths
          ptq-int4, ptq-e4m3   no training: the FP32 run's network, with weights and activations in a format (the footprint
                               is then that of the weights)
          saved-m1e4, mxfp8, mxfp6, mxfp4, group2, group4   only the saved copy is reduced

  --quick      fewer images and epochs: a smoke test, whose accuracy says little
  --seed N     of weights, batches and draws (default 1)
  --out DIR    where runs are kept (default build/train): DIR/MODEL/POLICY/seedN has a JSON line per epoch, a checkpoint, a
               picture of the bitlengths, and the result. A run that was cut short goes on after its last whole epoch; one
               that ended is not run again. The FP32 run of the same seed is the reference, and is made first if need be
  --set JSON   other parameters of the learner, as '{"gamma": 0.3}', for experiments: give an --out of their own
  --build DIR  take spillwayd and libspillway from this build directory; without it, installs what is missing and builds
               the preset `release` first
USAGE
}

fail() {
    echo "run.sh: $*" >&2
    exit 2
}

arguments=()
out=build/train
build=
while [[ $# -gt 0 ]]; do
    case $1 in
        --help | -h) usage && exit 0 ;;
        --quick) arguments+=("$1") ;;
        --seed | --set) [[ $# -ge 2 ]] || fail "$1 takes a value" && arguments+=("$1" "$2") && shift ;;
        --out) [[ $# -ge 2 ]] || fail "$1 takes a value" && out=$2 && shift ;;
        --build) [[ $# -ge 2 ]] || fail "$1 takes a value" && build=$2 && shift ;;
        -*) fail "unknown option '$1'; try --help" ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
[[ ${#arguments[@]} -ge 2 ]] || fail "name a model and a policy; try --help"

build_find "$build"
daemon_start --memory 512M --codec-threads 1

mkdir -p "$out"
SPILLWAY_LIBRARY=$build/client/libspillway.so PYTHONPATH=client/python PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 \
    /usr/bin/python3 tests/train/train.py "${arguments[@]}" --out "$out" --endpoint "unix:$scratch/spillway.sock"
