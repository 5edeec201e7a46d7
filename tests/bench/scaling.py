"""How the front's own cost grows: with reactors, workers and connections, and with what the application does."""

import dataclasses
import random
import resource

import load
import processes
import peers
from cell import Base, free_port
from load import Load
from server import Server


@dataclasses.dataclass(frozen=True)
class Point:
    """One setting. A label is made of what differs from the point that all have in common."""

    label: str
    reactors: int = 1
    workers: int = 2
    connections: int = 64
    application: str = "plain:hello"
    path: str = "/"
    body: bytes = b"Hello, world!\n"


@dataclasses.dataclass(frozen=True)
class ScalingCell(Base):
    """gobridge alone, at several points, each with a server of its own."""

    points: tuple = ()

    kind = "scaling"

    def measure(self, name, seconds):
        allow_files(2 * max(point.connections for point in self.points) + 1000)
        found = {point: self.at(point, name, seconds) for point in random.sample(self.points, len(self.points))}
        return [(point.label, found[point]) for point in self.points]

    def at(self, point, name, seconds):
        job = peers.Job(point.application, free_port(), point.workers)
        one = Load(connections=point.connections, path=point.path)
        with Server(name, peers.ALL[name].command(job) + ["--reactors", str(point.reactors)], job.port) as server:
            server.verify(one, point.body)
            load.warm(one, job.port)
            front, whole = processes.own_cpu_seconds(server.pid), server.cpu_seconds()
            result = load.run(one, job.port, seconds)
            front = processes.own_cpu_seconds(server.pid) - front
            whole = server.cpu_seconds() - whole
            result["front"] = front / result["requests"] * 1e6
            result["worker"] = (whole - front) / result["requests"] * 1e6
            result["pss"] = server.pss_bytes() / 2**20
            return result


def allow_files(wanted):
    """Lets wrk, and the server, have so many connections; as many as may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
