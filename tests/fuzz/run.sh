#!/usr/bin/env bash
# Builds the fuzz targets once and runs each for so many seconds, as many at a time as there are processors.
#
#   tests/fuzz/run.sh SECONDS [TARGET…]
#
# It needs cargo-fuzz; no nightly compiler and no clang, for without AddressSanitizer the coverage of LLVM is
# all that libFuzzer asks for, and there is one file with unsafe code, which no target reaches. A crash ends the
# run with an error and leaves its input in tests/fuzz/artifacts/TARGET; it becomes a unit test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:?usage: $0 SECONDS [TARGET…]}
shift
command -v cargo-fuzz >/dev/null || { echo "cargo-fuzz is missing: cargo install cargo-fuzz --locked" >&2; exit 4; }

cargo fuzz build --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none
triple=$(rustc -vV | sed -n 's/^host: //p')
export seconds built=target/fuzz/$triple/release
targets=("$@")
(($#)) || mapfile -t targets < <(cargo fuzz list --fuzz-dir tests/fuzz)

one() { # TARGET
    corpus=tests/fuzz/corpus/$1
    artifacts=tests/fuzz/artifacts/$1
    mkdir -p "$corpus" "$artifacts"
    if said=$("$built/$1" "$corpus" "tests/fuzz/seeds/$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -max_len=16384 -print_final_stats=1 -artifact_prefix="$artifacts/" 2>&1); then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' <<<"$said")
        echo "$1: ${runs:-?} inputs, nothing found"
    else
        printf '%s: FAILED\n%s\n' "$1" "$(tail -n 40 <<<"$said")" >&2
        return 1
    fi
}
export -f one
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I TARGET bash -c 'one TARGET'
