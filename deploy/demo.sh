#!/usr/bin/env bash
# Shows what Spillway does: trains a small ResNet twice from the same seed, once with plain torch and once with its
# activations in a spillwayd, and compares. See --help.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh

usage() {
    cat <<'USAGE'
Usage: deploy/demo.sh [--quick] [--keep]

Trains a ResNet-style network on Fashion-MNIST twice from the same seed: with plain torch, and with its activations
in spillwayd. Ends with a table of what it cost and whether the losses are the same to the bit. Installs the Debian
packages it needs, builds Spillway in build/release and starts a spillwayd of its own on a private socket.

  --quick   a few dozen steps instead of a few hundred
  --keep    leave the spillwayd up and say how to talk to it
  --help    this text

The last line is for machines: `demo: losses_identical=yes ...`. Exit status 0 when losses and weights are identical and
nothing failed.
USAGE
}

steps=180
keep=no
while [[ $# -gt 0 ]]; do
    case $1 in
        --quick) steps=30 ;;
        --keep) keep=yes ;;
        --help | -h) usage && exit 0 ;;
        *) echo "demo.sh: unknown option '$1'. Try deploy/demo.sh --help." >&2 && exit 2 ;;
    esac
    shift
done

say() {
    echo "== $*" >&2
}

build() {
    local log=$scratch/build.log
    if ! { cmake --preset release && cmake --build --preset release -j "$(nproc)"; } >"$log" 2>&1; then
        cat "$log" >&2
        echo "The build failed; its output is above." >&2
        return 1
    fi
}

daemon_pid=
start_daemon() {
    # A session of its own, so that Ctrl-C reaches the training and not the daemon under it.
    setsid build/release/daemon/spillwayd --socket "$socket" >"$scratch/spillwayd.log" 2>&1 </dev/null &
    daemon_pid=$!
    local try
    for ((try = 0; try < 100; try++)); do
        [[ -S $socket ]] && build/release/client/cli/spillway --endpoint "unix:$socket" ping >/dev/null 2>&1 && return 0
        kill -0 "$daemon_pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$scratch/spillwayd.log" >&2
    echo "spillwayd did not come up; its log is above." >&2
    return 1
}

# Asks nicely, and only after ten seconds does not ask.
stop_daemon() {
    [[ -n $daemon_pid ]] || return 0
    kill -TERM "$daemon_pid" 2>/dev/null || true
    local try
    for ((try = 0; try < 100; try++)); do
        kill -0 "$daemon_pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$daemon_pid" 2>/dev/null || true
    wait "$daemon_pid" 2>/dev/null || true
    daemon_pid=
}

finish() {
    if [[ $keep == yes && -n $daemon_pid ]]; then
        cat >&2 <<KEPT

spillwayd is still up (pid $daemon_pid, log $scratch/spillwayd.log). Talk to it:
  export SPILLWAY_ENDPOINT=unix:$socket
  $PWD/build/release/client/cli/spillway stats
  kill $daemon_pid      # when done
KEPT
        return
    fi
    stop_daemon
    rm -rf "$scratch"
}

# One training run in a process of its own: train NAME [options of demo_train.py]. torch's threads sleep while they wait:
# by default they spin, on cores that the daemon or a busy machine could use, and a step can take twenty times as long.
train() {
    local name=$1
    shift
    OMP_WAIT_POLICY=passive \
        SPILLWAY_LIBRARY=$PWD/build/release/client/libspillway.so PYTHONPATH=$PWD/client/python \
        /usr/bin/python3 deploy/demo_train.py --label "$name" --steps "$steps" --result "$scratch/$name.json" "$@"
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/spillway-demo.XXXXXX")
socket=$scratch/spillway.sock
trap finish EXIT

say "Packages"
packages_install build demo
say "Building in build/release"
build
say "Starting spillwayd on $socket"
start_daemon
say "Training $steps steps, twice"
train plain
train offload --endpoint "unix:$socket"
build/release/client/cli/spillway --endpoint "unix:$socket" stats --json >"$scratch/daemon.json"
/usr/bin/python3 deploy/demo_report.py "$scratch/plain.json" "$scratch/offload.json" "$scratch/daemon.json"
