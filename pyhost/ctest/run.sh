#!/bin/sh
# Builds the C tests of the worker's side of the bridge with the sanitizers and runs them.
# usage: pyhost/ctest/run.sh [address|thread]
set -eu

case "${1:-address}" in
address) sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined" ;;
thread) sanitizers="-fsanitize=thread" ;;
*) echo "usage: $0 [address|thread]" >&2; exit 2 ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
host=$here/..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2086 # the flags are words
"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror $sanitizers -o "$work/test" \
    "$here/test.c" "$here/test_spool.c" "$here/test_pace.c" "$here/test_incoming.c" "$here/test_seats.c" "$here/front.c" "$host/segment.c" "$host/inbox.c" "$host/pipe.c" \
    "$host/bitmap.c" "$host/news.c" "$host/claim.c" "$host/spool.c" "$host/control.c" "$host/file.c" "$host/spin.c" "$host/incoming.c" "$host/bytes.c" \
    "$host/seats.c" -lpthread
# With much address space randomization ThreadSanitizer's runtime cannot start.
if setarch "$(uname -m)" -R true 2>/dev/null; then
    setarch "$(uname -m)" -R "$work/test"
else
    "$work/test"
fi
