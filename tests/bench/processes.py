"""What /proc tells about a server: all its processes, their processor time and their memory."""

import os
import re

TICKS = os.sysconf("SC_CLK_TCK")  # a second
GONE = (FileNotFoundError, ProcessLookupError)


def fields(pid):
    """The numbers of /proc/PID/stat that follow the name; the first is the state (proc(5), field 3)."""
    with open("/proc/%s/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()


def tree(pid):
    """The process and its descendants."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            children.setdefault(int(fields(entry)[1]), []).append(int(entry))
        except GONE:
            continue
    found = [pid]
    for p in found:
        found.extend(children.get(p, []))
    return found


def group(leader):
    """The processes of a group that live; not those that have ended and that nobody has waited for."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            state, _, its_group = fields(entry)[:3]
        except GONE:
            continue
        if int(its_group) == leader and state not in "ZX":
            found.append(int(entry))
    return found


def cpu_seconds(pid):
    """Processor time of the whole tree, user and system, with that of children that have ended."""
    total = 0
    for p in tree(pid):
        try:
            total += sum(map(int, fields(p)[11:15]))  # utime, stime, cutime, cstime
        except GONE:
            continue
    return total / TICKS


def own_cpu_seconds(pid):
    """Processor time of one process alone."""
    return sum(map(int, fields(pid)[11:13])) / TICKS


def pss_bytes(pid):
    """Memory of the whole tree: shared pages count once, divided among those who share them."""
    total = 0
    for p in tree(pid):
        try:
            with open("/proc/%d/smaps_rollup" % p) as f:
                found = re.search(r"^Pss:\s+(\d+) kB", f.read(), re.M)
        except GONE:
            continue
        total += int(found.group(1)) * 1024 if found else 0
    return total


def sleeps(pid):
    """How often the threads of the whole tree have gone to sleep: as often they are woken."""
    total = 0
    for p in tree(pid):
        try:
            threads = os.listdir("/proc/%d/task" % p)
        except GONE:
            continue
        for thread in threads:
            try:
                with open("/proc/%d/task/%s/status" % (p, thread)) as f:
                    total += sum(map(int, re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M)))
            except GONE:
                continue
    return total
