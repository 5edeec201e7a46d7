"""A load that wrk makes, and what wrk says of it."""

import dataclasses
import os
import re
import subprocess
import threading
import time

import connections
from paths import BUILD

MILLISECONDS = {"us": 1e-3, "ms": 1, "s": 1e3, "m": 60e3}


@dataclasses.dataclass(frozen=True)
class Load:
    """Some connections, each of which sends the request again as soon as it has the answer."""

    connections: int = 64
    path: str = "/"
    method: str = "GET"
    headers: tuple = ()  # (name, value)
    body: bytes = b""
    label: str = ""  # tells it from other loads of the same cell

    def command(self, port, seconds):
        line = ["wrk", "-t1", "-c%d" % self.connections, "-d%ds" % seconds, "--timeout", "10s", "--latency"]
        for name, value in self.headers:
            line += ["-H", "%s: %s" % (name, value)]
        if self.method != "GET":
            line += ["-s", self.script()]
        return line + ["http://127.0.0.1:%d%s" % (port, self.path)]

    def script(self):
        """A file that tells wrk of a method and a body; it has no options for these."""
        path = os.path.join(BUILD, "load-%s-%d.lua" % (self.method, len(self.body)))
        with open(path, "w") as f:
            f.write('wrk.method = "%s"\nwrk.body = "%s"\n' % (self.method, self.body.decode("ascii")))
        return path

    def start(self, port, seconds):
        return subprocess.Popen(self.command(port, seconds), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def parse(text):
    """Rate, latencies in milliseconds and errors from what wrk has printed."""

    def latency(percent):
        value, unit = re.search(r"^ +%s%%\s+([\d.]+)(us|ms|s|m)\s*$" % percent, text, re.M).groups()
        return float(value) * MILLISECONDS[unit]

    try:
        return {
            "requests": int(re.search(r"(\d+) requests in", text).group(1)),
            "rate": float(re.search(r"Requests/sec: +([\d.]+)", text).group(1)),
            "p50": latency("50"),
            "p99": latency("99"),
            "errors": count_errors(text),
        }
    except AttributeError:
        raise ValueError("wrk printed no result:\n" + text) from None


def count_errors(text):
    """Broken connections, timeouts and answers of another kind than 2xx and 3xx, by kind."""
    kinds = {}
    sockets = re.search(r"Socket errors: (.*)", text)
    if sockets:
        kinds = {kind: int(n) for kind, n in re.findall(r"(\w+) (\d+)", sockets.group(1)) if n != "0"}
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if refused:
        kinds["refused"] = int(refused.group(1))
    return kinds


def run(load, port, seconds, beside=None):
    """Puts the load on the port, and another one beside it. Nobody else is looked at."""
    other = beside.start(port, seconds + 1) if beside else None
    process = load.start(port, seconds)
    counted = []
    # Late, so that a connection that has had no answer by now would hardly get one.
    look = threading.Timer(seconds * 0.75, lambda: counted.append(connections.starved(process.pid, port)))
    look.start()
    try:
        text, _ = process.communicate()
    finally:
        process.kill()  # if we are ended before it has
    look.cancel()
    look.join()
    if other:
        other.communicate()
    result = parse(text)
    if counted and counted[0] is not None:
        result["served"] = load.connections - counted[0]
    return result


def warm(load, port, seconds=1):
    """The load before it counts."""
    load.start(port, seconds).communicate()
    time.sleep(0.1)
