#!/usr/bin/env bash
# Drives the C host, built with ASan and UBSan, through drive.py: embedded (PYTHON's
# libpython must be there) and in the interpreter.
# usage: pyhost/ctest/drive.sh PYTHON... [--smoke PYTHON...]
# Those after --smoke are driven for a moment only, and of what is Python's part alone the second
# host of an interpreter is spared. As many are driven at a time as there are processors; each
# one's output is shown when it has ended.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,7s/^# //p' "$0" >&2; exit 2; }

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
built=$("$here/build.sh")

# LeakSanitizer does not look into Python's arenas, and CPython never frees all it
# has; only the check that a worker makes when it leaves counts.
# gcc 12's runtime takes the size of a library's thread-local data (libpython 3.12 has some)
# from where glibc no longer writes it, and its leak check then reads anywhere.
export ASAN_OPTIONS=intercept_tls_get_addr=0
export LSAN_OPTIONS="leak_check_at_exit=0:print_suppressions=0:suppressions=$here/../lsan.supp"

# The libpython that it runs on, else the one that its configuration names.
library_of='import os, re, sysconfig as s
name = s.get_config_var("INSTSONAME") or ""
mapped = re.findall(r" (/.*/libpython3\S*)$", open("/proc/self/maps").read(), re.M)
for at in mapped + [os.path.join(s.get_config_var("LIBDIR"), name)]:
    if os.path.isfile(at) and os.path.basename(at).startswith("libpython3") and ".so" in at:
        print(at)
        break'

# drive PYTHON HOST...: a free-threaded build has an allocator of its own and takes no
# other, so what only its objects refer to would look like a leak.
drive() {
    if [ "$("$1" -c 'import sysconfig as s; print(s.get_config_var("Py_GIL_DISABLED") or 0)')" = 1 ]; then
        shift
        ASAN_OPTIONS=detect_leaks=0:$ASAN_OPTIONS "${DRIVER:-python3}" "$here/drive.py" "$@"
    else
        shift
        PYTHONMALLOC=malloc "${DRIVER:-python3}" "$here/drive.py" "$@"
    fi
}

declare -A logs=()
count=0 bad=0
# await: waits for one that is driven.
await() {
    local pid status=0
    wait -n -p pid "${!logs[@]}" || status=$?
    cat "${logs[$pid]}"
    unset "logs[$pid]"
    [ $status = 0 ] || bad=1
}
# beside COMMAND...: runs it beside others.
beside() {
    [ ${#logs[@]} -lt "$(nproc)" ] || await
    count=$((count + 1))
    "$@" >"$work/log.$count" 2>&1 &
    logs[$!]=$work/log.$count
}

embedded='' second=--second-host
asan=$(gcc -print-file-name=libasan.so)
for python in "$@"; do
    if [ "$python" = --smoke ]; then
        embedded=--smoke second=--smoke
        continue
    fi
    library=$("$python" -c "$library_of")
    interpreter=$second
    # shellcheck disable=SC2086 # none or one
    if [ -n "$library" ]; then
        beside drive "$python" embedded "$library" "$python" "$built/host" $embedded
    else
        interpreter=$embedded
    fi
    # shellcheck disable=SC2086
    GB_PRELOAD=$asan beside drive "$python" interpreter - "$python" "$built/host.so" $interpreter
done
while [ ${#logs[@]} -gt 0 ]; do await; done
exit $bad
