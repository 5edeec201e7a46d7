#!/bin/sh
# Fuzzes the worker's side of the bridge with hostile segments, reports coverage,
# that must not be low, and makes sure that a planted bug is found.
# usage: pyhost/fuzz/run.sh [seconds]
set -eu

seconds=${1:-30}
here=$(cd "$(dirname "$0")" && pwd)
host=$here/..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
floor=80 # percent of its lines that the inputs must reach, from nothing
decoder="$host/segment.c $host/inbox.c $host/pipe.c $host/bitmap.c $host/news.c $host/claim.c $host/spool.c $host/incoming.c $host/bytes.c"

build() {
    output=$1
    shift
    # shellcheck disable=SC2086 # a list of files
    clang -std=gnu11 -D_GNU_SOURCE -DGB_KILLPOINTS -g -O1 -Wall -Wextra -Werror \
        -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Wl,--wrap=syscall "$@" \
        -o "$output" "$here/segment_fuzz.c" $decoder
}

build "$work/fuzz" -fprofile-instr-generate -fcoverage-mapping
build "$work/planted" -DGB_PLANTED_BUG
mkdir "$work/corpus"
cd "$work"

# search: fuzzes for $seconds more; what is reached so far goes to the file report.
search() {
    if ! LLVM_PROFILE_FILE=$work/profile-%p ./fuzz -max_total_time="$seconds" -max_len=512 -timeout=20 -print_final_stats=1 \
        corpus >log 2>&1; then
        cat log
        cp crash-* timeout-* "$here" 2>/dev/null || true
        echo "the decoder failed; the input lies in $here" >&2
        exit 1
    fi
    grep -E 'DONE|stat::number_of_executed_units' log
    "$profdata" merge -o merged profile-*
    # shellcheck disable=SC2086
    "$coverage" report -show-region-summary=false ./fuzz -instr-profile merged $decoder >report
}

# The seventh column is that of the lines.
reached() { awk -v floor="$floor" '$1 == "TOTAL" { found = 1; exit !($7 + 0 >= floor) } END { if (!found) exit 1 }' report; }

# shellcheck disable=SC2012 # the names are plain
profdata=$(command -v llvm-profdata || ls /usr/lib/llvm-*/bin/llvm-profdata | tail -1)
coverage=$(command -v llvm-cov || ls /usr/lib/llvm-*/bin/llvm-cov | tail -1)
echo "fuzzing for $seconds s"
search
for again in $(seq 24); do # a busy machine does less in the same time
    reached && break
    echo "less than $floor % of the decoder's lines are reached: once more ($again)"
    search
done
cat report
reached || {
    echo "less than $floor % of the decoder's lines are reached" >&2
    exit 1
}

echo "looking for the planted bug"
if ./planted -max_total_time=600 -max_len=512 corpus >log 2>&1; then
    echo "the planted bug was not found" >&2
    exit 1
fi
grep -m1 'ERROR: AddressSanitizer' log
