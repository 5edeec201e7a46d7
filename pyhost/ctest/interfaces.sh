#!/bin/sh
# Tests the WSGI and the ASGI interface inside every CPython that is named, or of this machine.
# usage: pyhost/ctest/interfaces.sh [--asan | --speed] [wsgi | asgi] [PYTHON...]
# --asan builds the host with ASan and UBSan; --speed measures WSGI's, and tests nothing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
interfaces="wsgi asgi"
flags=-O1
preload=
malloc=default
test=
if [ "${1:-}" = --speed ]; then
    shift
    interfaces=wsgi
    flags=-O2
    test=speed
elif [ "${1:-}" = --asan ]; then
    shift
    flags="-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
    preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
    export ASAN_OPTIONS=detect_leaks=0 # what Python keeps until its end is no leak
    malloc=malloc                      # lets the sanitizer see each object
fi
case ${1:-} in wsgi | asgi)
    interfaces=$1
    shift
    ;;
esac
if [ $# -eq 0 ]; then
    for python in /usr/bin/python3 "$HOME"/.pyenv/versions/*/bin/python3; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
            set -- "$@" "$python"
        fi
    done
fi
if [ $# -eq 0 ]; then
    set -- python3
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-std=gnu11 -D_GNU_SOURCE -DGB_SHARED_LIBRARY -g -Wall -Wextra -Werror $flags -fPIC -fvisibility=hidden"
# shellcheck disable=SC2086 # the flags are words
(cd "$work" && gcc $flags -c "$here"/../*.c "$here/front.c")
for interface in $interfaces; do
    # shellcheck disable=SC2086
    gcc $flags -shared -o "$work/$interface.so" "$here/$interface.c" "$work"/*.o -ldl -lpthread
done
# A free-threaded build has an allocator of its own and takes no other.
allocator_of() {
    "$1" -c 'import sys, sysconfig as s; print("default" if s.get_config_var("Py_GIL_DISABLED") else sys.argv[1])' "$malloc"
}

for interface in $interfaces; do
    for python in "$@"; do
        PYTHONMALLOC=$(allocator_of "$python") LD_PRELOAD=$preload "$python" "$here/$interface.py" "$work/$interface.so" $test
    done
done
