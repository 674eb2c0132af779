#!/usr/bin/env bash
# arguments.sh BUILD: what run.sh says to wrong arguments, and that the packages it installs suffice for what it builds.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh
build=$1
failures=0
absent=$(mktemp -d)
rmdir "$absent"

# check STATUS TEXT COMMAND...: whether the command ends so and says that on stderr, with nothing on stdout.
check() {
    local status=0 said printed
    said=$(mktemp)
    printed=$("${@:3}" 2>"$said") || status=$?
    if [[ $status != "$1" || -n $printed ]] || ! grep -qF -- "$2" "$said"; then
        echo "status $status instead of $1, or not '$2': ${*:3}: $printed $(cat "$said")"
        failures=$((failures + 1))
    fi
    rm -f "$said"
}

run=(tests/bench/run.sh)
check 2 "which suite" "${run[@]}"
check 2 "no suite is called 'encode'" "${run[@]}" encode
check 2 "no figure of the suite codec matches 'codec/no/*'" "${run[@]}" codec --only 'codec/no/*' --build "$build"
check 2 "no figure of the suite transport matches 'nothing'" "${run[@]}" transport --only nothing --build "$build"
check 2 "--data: there is no directory '$absent'" "${run[@]}" codec --data "$absent" --build "$build"
check 2 "SPILLWAY_DATA: there is no directory '$absent'" env SPILLWAY_DATA="$absent" "${run[@]}" codec --build "$build"
check 2 "SPILLWAY_DATA: no .safetensors files in 'deploy'" env SPILLWAY_DATA=deploy "${run[@]}" codec --build "$build"

# Data is no concern of transport's: what is measured there is made.
if ! SPILLWAY_DATA=$absent "${run[@]}" transport --only transport/put/unix/4K/p50_us --build "$build" >/dev/null; then
    echo "a stale SPILLWAY_DATA stops transport"
    failures=$((failures + 1))
fi

# The preset is configured with all tests. A program that these demand comes in a package that run.sh must install.
while read -r program; do
    path=$(command -v "$program")
    package=$(dpkg -S "$path" 2>/dev/null) || continue # no Debian, or one's own build
    if ! grep -qwF -- "${package%%:*}" <<<"${packages[build]} ${packages[bench]}"; then
        echo "configuring needs $program, and neither of the sets 'build' and 'bench' has ${package%%:*}"
        failures=$((failures + 1))
    fi
done < <(grep -rhoP --include=CMakeLists.txt 'find_program\(\w+ \K[\w-]+(?= REQUIRED)' tests)

exit $((failures > 0))
