"""A cell of the matrix: one job, the servers that do it, and what is wanted of gobridge."""

import dataclasses
import math
import os
import socket
from typing import Optional

import load
import peers
from load import Load
from paths import BUILD
from server import Failure, Server

BENCH, MATRIX, SCALING, ASGI, NGINX = "make bench", "make bench-all", "make bench-scaling", "make bench-asgi", "make bench-nginx"

# Who can do a job at all.
EVERYBODY = tuple(name for name, peer in peers.ALL.items() if peer.command and name not in ("C floor", "granian-threads") and not peer.instead)
LOGGING = tuple(name for name in EVERYBODY if peers.ALL[name].logs)


@dataclasses.dataclass(frozen=True)
class Base:
    """What every cell has. Each kind has also measure(server, seconds), which yields (row, result) pairs, and
    the name of its kind: the columns of its results (report.py)."""

    name: str
    title: str
    named: tuple  # the servers that the goals name: those of `make bench`
    goals: tuple = ()
    all: tuple = EVERYBODY  # those of `make bench-all`
    part: str = BENCH  # which run it is a part of
    most: int = 1000  # rounds that it needs at the very most


@dataclasses.dataclass(frozen=True)
class Cell(Base):
    """A job that wrk measures."""

    application: str = "plain:hello"
    body: bytes = b"Hello, world!\n"
    workers: int = 2
    threads: int = 1
    loads: tuple = (Load(),)
    beside: Optional[Load] = None  # a load that runs at the same time and is not measured
    logged: bool = False
    interface: str = "wsgi"

    kind = "load"

    def job(self, port, name="server"):
        log = os.path.join(BUILD, name + ".access") if self.logged else None
        return peers.Job(self.application, port, self.workers, self.threads, log, self.interface)

    def started(self, name):
        """The server of that name, on a port that was free a moment ago."""
        port = free_port()
        return Server(name, peers.ALL[name].line(self.job(port, name)), port)

    def measure(self, name, seconds):
        """Starts one server, verifies and measures it: (row, result) for each load."""
        with self.started(name) as server:
            for one in self.loads:
                server.verify(one, self.body)
            return [((name + " " + one.label).strip(), self.put(one, server, seconds)) for one in self.loads]

    def put(self, one, server, seconds):
        load.warm(one, server.port)
        before = server.cpu_seconds()
        result = load.run(one, server.port, seconds, self.beside)
        result["cpu"] = (server.cpu_seconds() - before) / max(result["requests"], 1) * 1e6
        result["pss"] = server.pss_bytes() / 2**20
        if server.process.poll() is not None:
            raise Failure("ended under load:\n%s" % server.tail())
        if not result["requests"]:
            raise Failure("answered nothing under load (wrk's errors: %s)" % result["errors"])
        if self.logged:
            empty(self.job(0, server.name).log)
        return result


def empty(path):
    """A log that grows without end would fill the disk."""
    if os.path.exists(path):
        os.truncate(path, 0)


def percentile(values, percent):
    """The least value that so many percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
