"""What a log costs that nobody reads: the access log goes into a pipe that is full, and into a file."""

import dataclasses
import os
import random
import stat

import peers
from cell import Cell, free_port
from paths import BUILD
from server import Failure, Server

PIPE = os.path.join(BUILD, "full.pipe")
LOGS = (("with no log", None), ("with a log file", os.path.join(BUILD, "pipe.access")), ("with a full pipe", PIPE))


@dataclasses.dataclass(frozen=True)
class PipeCell(Cell):
    def measure(self, name, seconds):
        found = []
        for label, log in random.sample(LOGS, len(LOGS)):  # nobody is always first, or last
            with FullPipe() as pipe:
                job = peers.Job(self.application, free_port(), self.workers, self.threads, log)
                with Server(name, peers.ALL[name].command(job), job.port) as server:
                    server.verify(self.loads[0], self.body)
                    found.append(("%s %s" % (name, label), self.put(self.loads[0], server, seconds)))
                    if log == PIPE and pipe.room():
                        raise Failure("the pipe was not full: something has read from it")
        return sorted(found, key=lambda item: [label for label, _ in LOGS].index(item[0][len(name) + 1:]))


class FullPipe:
    """A named pipe that is open for reading, so that it can be opened for writing, and full."""

    def __enter__(self):
        if os.path.exists(PIPE) and stat.S_ISFIFO(os.stat(PIPE).st_mode):
            os.unlink(PIPE)
        os.mkfifo(PIPE)
        self.fd = os.open(PIPE, os.O_RDWR | os.O_NONBLOCK)
        while self.room():
            pass
        return self

    def room(self):
        """Fills a page, and says whether there was room for it."""
        try:
            return os.write(self.fd, b"\n" * 4096) > 0
        except BlockingIOError:
            return False

    def __exit__(self, *_):
        os.close(self.fd)
        os.unlink(PIPE)
