#!/bin/sh
# Tests the ASGI interface's WebSockets inside every CPython that is named.
# usage: pyhost/ctest/asgi.sh [--asan] PYTHON...
set -eu

here=$(cd "$(dirname "$0")" && pwd)
host=$here/..
flags=-O1
preload=
malloc=default
if [ "${1:-}" = --asan ]; then
    shift
    flags="-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
    preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
    export ASAN_OPTIONS=detect_leaks=0 # what Python keeps until its end is no leak
    malloc=malloc                      # lets the sanitizer see each object
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2086 # the flags are words
gcc -std=gnu11 -D_GNU_SOURCE -DGB_SHARED_LIBRARY -g -Wall -Wextra -Werror $flags -fPIC -shared -fvisibility=hidden \
    -o "$work/asgi.so" "$here/asgi.c" "$here/front.c" "$host"/*.c -ldl -lpthread
# A free-threaded build has an allocator of its own and takes no other.
allocator_of() {
    "$1" -c 'import sys, sysconfig as s; print("default" if s.get_config_var("Py_GIL_DISABLED") else sys.argv[1])' "$malloc"
}

for python in "$@"; do
    PYTHONMALLOC=$(allocator_of "$python") LD_PRELOAD=$preload "$python" "$here/asgi.py" "$work/asgi.so"
done
