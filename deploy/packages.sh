# shellcheck shell=bash
# The Debian packages Spillway needs, in one place: sourced by deploy/demo.sh, tests/run.sh and tests/bench/run.sh.
#
#   packages_install build demo     installs what is missing of these sets, and nothing when all is there

declare -A packages=(
    [build]="build-essential cmake ninja-build pkg-config libuv1-dev libprotobuf-c-dev protobuf-c-compiler
        libxxhash-dev libzstd-dev libconfuse-dev libjansson-dev libpng-dev libyaml-dev libgrpc-dev libmicrohttpd-dev
        protobuf-compiler"
    [test]="libcmocka-dev protobuf-compiler python3-grpcio python3-numpy python3-prometheus-client python3-protobuf
        python3-pytest python3-torch python3-xxhash"
    [bench]="libcmocka-dev libblosc-dev libfpzip-dev liblz4-dev libzfp-dev libzstd-dev protobuf-compiler
        python3-matplotlib"
    [cross]="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user libcmocka-dev:arm64 libxxhash-dev:arm64
        libzstd-dev:arm64"
    [fuzz]="clang libclang-rt-14-dev"
    [demo]="python3-numpy python3-torch dataset-fashion-mnist"
    # torch multiplies matrices by whatever BLAS there is, and the reference one takes five times as long.
    [train]="protobuf-compiler python3-grpcio python3-matplotlib python3-numpy python3-protobuf python3-torch
        dataset-fashion-mnist libopenblas0-pthread"
)

# Prints those of the named packages that dpkg does not call installed. A package of another architecture beside this
# machine's own is another line, and counts for nothing unless it was asked for as NAME:ARCHITECTURE.
packages_missing() {
    local package native wanted
    native=$(dpkg --print-architecture 2>/dev/null) || native=
    for package in "$@"; do
        wanted=$native
        [[ $package != *:* ]] || wanted=${package#*:}
        dpkg-query -W -f '${db:Status-Status} ${Architecture}\n' "$package" 2>/dev/null |
            grep -qxE "installed ($wanted|all)" || echo "$package"
    done
}

# Lets dpkg install packages of the architectures that the named ones ask for.
packages_architectures() {
    local package
    for package in "$@"; do
        [[ $package != *:* ]] || dpkg --print-foreign-architectures | grep -qx "${package#*:}" ||
            packages_as_root dpkg --add-architecture "${package#*:}"
    done
}

# Runs its arguments as root, which apt-get needs.
packages_as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    else
        sudo -- "$@"
    fi
}

packages_install() {
    local set missing=()
    mapfile -t missing < <(
        for set in "$@"; do
            # The lists are words to be split.
            # shellcheck disable=SC2086
            packages_missing ${packages[$set]}
        done | sort -u
    )
    [[ ${#missing[@]} == 0 ]] && return 0

    if ! command -v apt-get >/dev/null; then
        echo "This machine has no apt-get. Install what these Debian packages hold, then run again: ${missing[*]}" >&2
        return 1
    fi
    if [[ $(id -u) != 0 ]] && ! command -v sudo >/dev/null; then
        echo "Some packages are missing. Run this as root, then run again: apt-get install ${missing[*]}" >&2
        return 1
    fi
    echo "Installing ${missing[*]}" >&2
    # Quiet unless it fails; stdout belongs to the caller's figures.
    {
        packages_architectures "${missing[@]}" &&
            packages_as_root apt-get -qq update &&
            packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
                -o Dpkg::Use-Pty=0 install "${missing[@]}" >/dev/null
    } >&2
}
