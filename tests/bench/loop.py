"""How late a timer of 10 ms is on the application's event loop, while its server is busy."""

import dataclasses
import os
import time

import load
import peers
import timer
from cell import Base, free_port
from load import Load
from paths import BUILD
from server import Server


@dataclasses.dataclass(frozen=True)
class LoopCell(Base):
    load: Load = Load()

    kind = "timer"

    def job(self, port, name="server"):
        return peers.Job("plain_asgi:timed", port, interface="asgi")

    def measure(self, name, seconds):
        times = os.path.join(BUILD, name + ".times")
        port = free_port()
        with Server(name, peers.ALL[name].line(self.job(port)), port, env={"BENCH_LATENESS": times}) as server:
            server.verify(self.load, b"Hello, world!\n")
            load.warm(self.load, port)
            before, cpu, begin = os.path.getsize(times), server.cpu_seconds(), time.monotonic()
            result = load.run(self.load, port, seconds * timer.LONGER)
            busy = (server.cpu_seconds() - cpu) / (time.monotonic() - begin)
            late = timer.since(times, before)
        return [(name, timer.summary(late, result["rate"], busy))]
