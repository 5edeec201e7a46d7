# Run once inside a found interpreter (python -c): says what that interpreter is,
# as one line of JSON, the last line on standard output.
import sys

if sys.version_info < (3, 4):
    sys.exit("this is Python %d.%d" % sys.version_info[:2])
if sys.path and sys.path[0] == "":
    del sys.path[0]  # an application's json.py is not ours to import

import importlib.util
import json
import os
import sysconfig


def mapped_library():
    """The libpython this process runs on, or "" when its executable contains it."""
    with open("/proc/self/maps", errors="surrogateescape") as maps:
        for line in maps:
            fields = line.rstrip("\n").split(None, 5)
            if len(fields) == 6 and os.path.basename(fields[5]).startswith("libpython%d." % sys.version_info[0]):
                return fields[5]
    return ""


names = ("INSTSONAME", "LDLIBRARY", "LIBDIR", "LIBPL", "MULTIARCH", "Py_ENABLE_SHARED", "Py_GIL_DISABLED")
print()
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": "%d.%d.%d" % sys.version_info[:3]
    + ("" if sys.version_info[3] == "final" else "%s%d" % (sys.version_info[3][0], sys.version_info[4])),
    "major": sys.version_info[0],
    "minor": sys.version_info[1],
    "executable": sys.executable or os.readlink("/proc/self/exe"),
    "prefix": sys.prefix,
    "base_prefix": sys.base_prefix,
    "mapped": mapped_library(),
    "ctypes": importlib.util.find_spec("_ctypes") is not None,
    "config": {name: str(sysconfig.get_config_var(name) or "") for name in names},
}))
