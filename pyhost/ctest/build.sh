#!/usr/bin/env bash
# Builds the C host as drive.sh runs it, with ASan and UBSan: as a program (host) and as a library
# (host.so). They stay in build/ctest, where the next interpreter's run finds them.
# usage: pyhost/ctest/build.sh    prints the folder that they are in
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$here/../.." && pwd)/build/ctest
flags="-std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -fPIC -fvisibility=hidden"
sanitizers="-fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"

mkdir -p "$folder"
exec 9>"$folder/lock" # another interpreter's run may be about to build it, too
flock 9
made_from=$(cd "$here" && cat build.sh ../*.c ../*.h | sha256sum)
if [ "$(cat "$folder/made-from" 2>/dev/null)" != "$made_from" ]; then
    rm -f "$folder/made-from" # what runs keeps its file: each is written anew
    rm -rf "$folder"/*.o "$folder/host" "$folder/host.so"
    # Program and library differ in start.c alone.
    compile="gcc $flags $sanitizers -c"
    (cd "$folder" && printf '%s\0' "$here"/../*.c | xargs -0 -n 1 -P "$(nproc)" $compile)
    echo 'int main(void) { return 7; } // the constructor does not return' >"$folder/main.c"
    (cd "$folder" && gcc $flags $sanitizers -o host main.c ./*.o -ldl -lpthread)
    (cd "$folder" && $compile -DGB_SHARED_LIBRARY "$here/../start.c" && gcc $sanitizers -shared -o host.so ./*.o -ldl -lpthread)
    echo "$made_from" >"$folder/made-from"
fi
echo "$folder"
