#!/bin/bash
# tests/tidy.sh [FILE...]: clang-tidy and clang-format over our C files (all of them, or those named). Needs the dev preset
# configured: its compile_commands.json tells how each file is compiled.
set -euo pipefail
cd "$(dirname "$0")/.."

files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files '*.c' '*.h')
clang-format --dry-run --Werror "${files[@]}"
printf '%s\n' "${files[@]}" | grep '\.c$' | xargs -P "$(nproc)" -n 8 clang-tidy -p build/dev --quiet
