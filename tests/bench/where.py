"""Where a request's microseconds go: processor time by process and by what runs in it, and system calls."""

import dataclasses
import os
import re
import shutil
import subprocess
import time

import load
import processes
from cell import Cell
from paths import BUILD
from server import Failure

FREQUENCY = 999  # samples a second
# What a file that is mapped into a process is to us.
PARTS = ((r"^\[", "kernel"), (r"^libc\.so|^libpthread|^ld-", "libc"), (r"^(lib)?python3", "Python"), (r"^host-|^gobridge", "C host"),
         (r"^_?fastpysgi|^_bjoern|^libev|^_granian|^floor", "server"))
COMMANDS = {"gobridge": "front", "gobridge-worker": "worker", "gobridge-worke": "worker"}


@dataclasses.dataclass(frozen=True)
class WhereCell(Cell):
    """Two runs of one server: perf record would disturb what perf trace counts."""

    kind = "where"

    def measure(self, name, seconds):
        if not shutil.which("perf"):
            raise Failure("perf is not there (on Debian: apt-get install linux-perf)")
        one = self.loads[0]
        with self.started(name) as server:
            server.verify(one, self.body)
            load.warm(one, server.port)
            result, cpu = self.under(server, one, seconds, None)
            data = os.path.join(BUILD, "perf.data")
            self.under(server, one, seconds, ["record", "-q", "-F", str(FREQUENCY), "-o", data])
            shares = parse_shares(perf(["report", "-i", data, "--stdio", "--field-separator", ",", "--sort", "comm,dso"]))
            trace = os.path.join(BUILD, "perf.trace")
            traced, _ = self.under(server, one, 1, ["trace", "-s", "-o", trace])
            with open(trace) as f:
                calls = parse_calls(f.read())
        per_request = cpu / result["requests"] * 1e6
        found = [(name, {"cpu": per_request, "calls": sum(calls.values()) / traced["requests"]})]
        for part in sorted(shares, key=shares.get, reverse=True):
            found.append(("%s: %s" % (name, part), {"cpu": shares[part] * per_request, "calls": calls.get(part, 0) / traced["requests"]}))
        return found

    def under(self, server, one, seconds, profiler):
        """(what wrk says, the tree's processor seconds) of a load, all of it while the profiler looks."""
        looking = None
        if profiler:
            pids = ",".join(map(str, processes.tree(server.pid)))
            looking = subprocess.Popen(["perf"] + profiler + ["-p", pids, "--", "sleep", str(seconds + 2)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(1)
        before = server.cpu_seconds()
        result = load.run(one, server.port, seconds)
        cpu = server.cpu_seconds() - before
        if looking and looking.wait() != 0:
            raise Failure("perf %s failed; it may not be allowed here (kernel.perf_event_paranoid)" % profiler[0])
        return result, cpu


def perf(arguments):
    return subprocess.run(["perf"] + arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout


def part_of(command, mapped=None):
    """The name of a process and of what runs in it."""
    process = COMMANDS.get(command, command)
    if mapped is None:
        return process + ", kernel"
    if process == "front" and mapped == "gobridge":
        return "front, Go"
    kind = next((kind for pattern, kind in PARTS if re.match(pattern, mapped)), mapped)
    return "%s, %s" % (process, kind)


def parse_shares(text):
    """{part: share of all processor time} of what `perf report --sort comm,dso` prints with commas."""
    shares = {}
    for percent, command, mapped in re.findall(r"^ *([\d.]+)% *,([^,\n]+),([^,\n]+)$", text, re.M):
        part = part_of(command.strip(), mapped.strip())
        shares[part] = shares.get(part, 0) + float(percent) / 100
    return shares


def parse_calls(text):
    """{part: system calls} of what `perf trace -s` prints, a table for each thread."""
    calls, part = {}, None
    for line in text.splitlines():
        head = re.match(r"^ (.+) \(\d+\), \d+ events", line)
        if head:
            part = part_of(head.group(1))
        call = re.match(r"^   (\w+) +(\d+) ", line)
        if call and part:
            calls[part] = calls.get(part, 0) + int(call.group(2))
    return calls
