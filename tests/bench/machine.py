"""Where and with what it was measured."""

import importlib.metadata
import os
import platform
import re
import subprocess
import time

import behind
from paths import GOBRIDGE


def surroundings(packages, nginx=False):
    """Machine, date and versions, as they are now."""
    return {"machine": machine(), "date": time.strftime("%d %B %Y", time.gmtime()), "versions": versions(packages) + ([behind.version()] if nginx else []),
            "load": os.getloadavg()[0]}


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    return "%d CPUs (%s), Linux %s" % (os.cpu_count(), model.group(1) if model else platform.machine(), platform.release().split("-")[0])


def versions(packages):
    found = [first_line([GOBRIDGE, "version"])]
    found += ["%s %s" % (package, importlib.metadata.version(package)) for package in packages]
    return found + ["Python " + platform.python_version(), " ".join(first_line(["wrk", "--version"]).split()[:2])]


def first_line(command):
    # wrk tells its version and fails.
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    return out.splitlines()[0]
