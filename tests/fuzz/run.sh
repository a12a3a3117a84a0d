#!/bin/sh
# run.sh SECONDS PROGRAM...: each fuzz target on its seeds and what grows from them. Inputs that
# crashed once are kept in tests/fuzz/crashes/TARGET and run first. Fails at the first new one.
set -eu
cd "$(dirname "$0")/../.."
seconds=$1
shift
for program in "$@"; do
    target=$(basename "$program")
    corpus=build/fuzz/corpus/$target
    mkdir -p "$corpus"
    echo "fuzz  $target: $seconds s, what it finds stays in $corpus"
    for kept in tests/fuzz/crashes/"$target"/*; do
        [ ! -e "$kept" ] || "$program" "$kept" >/dev/null
    done
    dictionary=tests/fuzz/$target.dict
    [ -e "$dictionary" ] && dictionary="-dict=$dictionary" || dictionary=
    # shellcheck disable=SC2086 # an option or none
    ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 "$program" "$corpus" "tests/fuzz/seeds/$target" \
        $dictionary -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=0 \
        -print_final_stats=1 -verbosity=1 -artifact_prefix="build/fuzz/$target-" 2>&1 |
        tee "build/fuzz/$target.log" | grep -E '^stat::|ERROR|SUMMARY|Test unit' || true
    if ! grep -q '^stat::number_of_executed_units' "build/fuzz/$target.log" ||
        grep -qE 'ERROR: (AddressSanitizer|libFuzzer|LeakSanitizer)|runtime error' \
            "build/fuzz/$target.log"; then
        tail -40 "build/fuzz/$target.log"
        echo "fuzz  $target: FAILED" >&2
        exit 1
    fi
done
