"""A server that may use but a part of a processor: a cgroup with a quota, as containers have."""

import contextlib
import dataclasses
import os

import peers
from cell import Cell, free_port
from server import Failure, Server

PERIOD = 100_000  # microseconds, the kernel's default
V1, V2 = "/sys/fs/cgroup/cpu", "/sys/fs/cgroup"


@dataclasses.dataclass(frozen=True)
class QuotaCell(Cell):
    cpus: float = 0.5

    def measure(self, name, seconds):
        job = peers.Job(self.application, free_port(), self.workers, self.threads)
        # The shell moves itself into the group, so that everything it becomes is in it.
        with quota(self.cpus) as group:
            command = ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', group] + peers.ALL[name].command(job)
            with Server(name, command, job.port) as server:
                for one in self.loads:
                    server.verify(one, self.body)
                return [(name, self.put(one, server, seconds)) for one in self.loads]


@contextlib.contextmanager
def quota(cpus):
    """The folder of a new cgroup that may use so many CPUs, while the context lasts."""
    limit = int(cpus * PERIOD)
    if os.path.exists(os.path.join(V1, "cpu.cfs_quota_us")):
        folder, settings = V1, (("cpu.cfs_period_us", PERIOD), ("cpu.cfs_quota_us", limit))
    else:
        folder, settings = V2, (("cpu.max", "%d %d" % (limit, PERIOD)),)
    group = os.path.join(folder, "gobridge-bench-%d" % os.getpid())
    try:
        os.mkdir(group)
        for name, value in settings:
            with open(os.path.join(group, name), "w") as f:
                f.write(str(value))
    except OSError as e:
        raise Failure("needs a cgroup of its own, which root may make on most machines: %s" % e) from None
    try:
        yield group
    finally:
        os.rmdir(group)
