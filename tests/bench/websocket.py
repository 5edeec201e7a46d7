"""Loads of WebSockets, which tests/bench/wsload makes: messages a second, and the memory of those that are open."""

import contextlib
import dataclasses
import json
import os
import resource
import subprocess
import time

import peers
from cell import Base, free_port
from load import Load
from paths import BUILD, ROOT
from server import Failure, Server

LOAD = os.path.join(BUILD, "wsload")
SETTLE = 3  # seconds after the last message, for what a server frees late


def build():
    """Go builds only what has changed."""
    built = subprocess.run(["go", "build", "-trimpath", "-o", LOAD, "./tests/bench/wsload"], cwd=ROOT, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if built.returncode:
        raise Failure("wsload could not be built:\n" + built.stdout)


def allow_files(wanted):
    """Raises the limit on open files for the servers, which inherit it. One of them needs two for a connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
    except ValueError as e:
        raise Failure("needs %d open files, of which %d are allowed (%s): ulimit -Hn %d" % (wanted, hard, e, wanted)) from None


@dataclasses.dataclass(frozen=True)
class Sockets(Base):
    """What the cells have in common: one worker with WebSockets."""

    application: str = "plain_asgi:ws_echo"
    mode: str = "echo"
    connections: int = 64
    size: int = 64  # bytes of a message

    def job(self, port, name="server"):
        return peers.Job(self.application, port, interface="asgi", sockets=self.connections)

    @contextlib.contextmanager
    def started(self, name):
        build()
        port = free_port()
        with Server(name, peers.ALL[name].line(self.job(port)), port) as server:
            server.verify(Load(), b"Hello, world!\n")
            yield server

    def command(self, server, seconds=0):
        return [LOAD, "-mode", self.mode, "-address", "127.0.0.1:%d" % server.port, "-connections", str(self.connections),
                "-size", str(self.size), "-seconds", str(seconds)]


@dataclasses.dataclass(frozen=True)
class SocketCell(Sockets):
    kind = "websocket"

    def measure(self, name, seconds):
        with self.started(name) as server:
            self.load(server, 1)
            before = server.cpu_seconds()
            result = self.load(server, seconds)
            result["cpu"] = (server.cpu_seconds() - before) / max(result["requests"], 1) * 1e6
            result["pss"] = server.pss_bytes() / 2**20
        return [(name, result)]

    def load(self, server, seconds):
        ran = subprocess.run(self.command(server, seconds), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if ran.returncode:
            raise Failure("%s%s" % (ran.stderr, server.tail()))
        result = json.loads(ran.stdout)
        if not result["requests"]:
            raise Failure("sent back nothing (%s)" % result["errors"])
        return result


@dataclasses.dataclass(frozen=True)
class OpenCell(Sockets):
    """Memory with many WebSockets that have sent and received something, less that with none; as for 10,000."""

    mode: str = "idle"
    connections: int = 9_900  # what fits into the 20,000 open files that many machines allow, two for each
    size: int = 64 * 1024
    most: int = 1

    kind = "open"

    def measure(self, name, seconds):
        allow_files(2 * self.connections + 200)
        with self.started(name) as server:
            before, cpu = server.pss_bytes(), server.cpu_seconds()
            with subprocess.Popen(self.command(server), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as holding:
                line = holding.stdout.readline()
                if not line:
                    raise Failure("%s%s" % (holding.stderr.read(), server.tail()))
                time.sleep(SETTLE)
                after, used = server.pss_bytes(), server.cpu_seconds() - cpu
                left, _ = holding.communicate()
            left = json.loads(left)["left"]
            server.expect(left == self.connections, "%d of %d WebSockets were left" % (left, self.connections))
        each = (after - before) / self.connections
        return [(name, {"grown": each * 10_000 / 1e6, "each": each / 1024, "pss": after / 2**20, "seconds": used})]
