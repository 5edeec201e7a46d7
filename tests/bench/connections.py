"""Which connections of a load were served: a server may look fast by serving few of them."""

import os
import re
import subprocess

PATIENCE = 500  # milliseconds without any answer
SHARE = 10  # a connection is starved that has had less than the mean share divided by this


def starved(pid, port):
    """How many connections of the process to the port get no answers, or hardly any; None if it has ended."""
    text = subprocess.run(["ss", "-HtineO", "state", "established", "dport", "=", ":%d" % port],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    try:
        mine = sockets(pid)
    except FileNotFoundError:
        return None
    return count([line for line in text.splitlines() if number("ino", line) in mine])


def sockets(pid):
    """The inodes of a process's sockets."""
    found = set()
    folder = "/proc/%d/fd" % pid
    for fd in os.listdir(folder):
        try:
            name = os.readlink(os.path.join(folder, fd))
        except FileNotFoundError:
            continue
        if name.startswith("socket:["):
            found.add(int(name[8:-1]))
    return found


def number(name, line):
    """A field of a line of ss; it leaves those out that are 0."""
    found = re.search(r"\b%s:(\d+)" % name, line)
    return int(found.group(1)) if found else 0


def count(lines):
    """Of lines of `ss -tineO`: who has sent a request a while ago and received nothing, ever; and who has received
    much less than others. Where each answer ends its connection, all that have received anything have the same."""
    received = [number("bytes_received", line) for line in lines]
    little = sum(received) / max(len(received), 1) / SHARE
    nothing = sum(1 for line, n in zip(lines, received) if n == 0 and number("lastsnd", line) > PATIENCE)
    return nothing + sum(1 for n in received if 0 < n < little)
