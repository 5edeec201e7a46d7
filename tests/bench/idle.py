"""How often anything in a server wakes up that has nothing to do."""

import dataclasses
import time

import load
from cell import Cell

SETTLE = 2  # seconds after the last request, for what ends by itself
LEAST = 5  # seconds to count


@dataclasses.dataclass(frozen=True)
class IdleCell(Cell):
    kind = "idle"

    def measure(self, name, seconds):
        with self.started(name) as server:
            for one in self.loads:
                server.verify(one, self.body)
                load.warm(one, server.port)
            time.sleep(SETTLE)
            seconds = max(seconds, LEAST)
            before, cpu = server.sleeps(), server.cpu_seconds()
            time.sleep(seconds)
            return [(name, {"wakes": (server.sleeps() - before) / seconds, "load": (server.cpu_seconds() - cpu) / seconds * 100,
                            "pss": server.pss_bytes() / 2**20})]
