#!/bin/sh
# Drives the C host, built with ASan and UBSan, through drive.py: embedded (PYTHON's
# libpython must be there) and in the interpreter.
# usage: pyhost/ctest/drive.sh PYTHON...
set -eu
[ $# -gt 0 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"

echo 'int main(void) { return 7; } // the constructor does not return' >"$work/main.c"
# shellcheck disable=SC2086 # the flags are words
gcc -std=gnu11 -D_GNU_SOURCE -O1 $flags -o "$work/host" "$work/main.c" "$here"/../*.c -ldl -lpthread
CC=gcc "$here/../../scripts/build-host" --asan "$work/host.so"

# LeakSanitizer does not look into Python's arenas, and CPython never frees all it
# has; only the check that a worker makes when it leaves counts.
export PYTHONMALLOC=malloc
export LSAN_OPTIONS="leak_check_at_exit=0:print_suppressions=0:suppressions=$here/../lsan.supp"

library_of='import os, sysconfig as s
at = os.path.join(s.get_config_var("LIBDIR"), s.get_config_var("INSTSONAME") or "")
print(at if os.path.isfile(at) and s.get_config_var("INSTSONAME").startswith("libpython3") and ".so" in at else "")'
for python in "$@"; do
    library=$("$python" -c "$library_of")
    [ -z "$library" ] || "${DRIVER:-python3}" "$here/drive.py" embedded "$library" "$python" "$work/host"
    GB_PRELOAD=$(gcc -print-file-name=libasan.so) \
        "${DRIVER:-python3}" "$here/drive.py" interpreter - "$python" "$work/host.so"
done
