# shellcheck shell=bash
# A spillwayd for training runs: sourced by those who start them, with deploy/packages.sh read before.
#
#   build_find [DIR]          sets `build` to DIR; without one installs what is missing and builds the preset `release`
#   daemon_start OPTION...    starts $build's spillwayd on $scratch/spillway.sock, until the script ends

build_find() {
    build=${1:-build/release}
    if [[ -z ${1:-} ]]; then
        packages_install build demo train
        { cmake --preset release && cmake --build --preset release -j "$(nproc)"; } >&2
    fi
}

scratch=
daemon=

daemon_finish() {
    if [[ -n $daemon ]]; then
        kill -TERM "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}

daemon_start() {
    local try
    scratch=$(mktemp -d)
    trap daemon_finish EXIT
    # A session of its own, so that Ctrl-C reaches the training first.
    setsid "$build/daemon/spillwayd" --socket "$scratch/spillway.sock" --http none "$@" \
        >"$scratch/log" 2>&1 </dev/null &
    daemon=$!
    # The last thing that is there is the control socket.
    for ((try = 0; try < 300; try++)); do
        [[ -S $scratch/spillway-control.sock ]] && return 0
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.1
    done
    cat "$scratch/log" >&2
    echo "spillwayd did not come up; its log is above." >&2
    return 1
}
