"""How late a timer of 10 ms is in the front while it serves, and in an idle process beside it at the same time."""

import dataclasses
import json
import os
import subprocess
import time

import load
import peers
import processes
from cell import Base, free_port, percentile
from load import Load
from paths import BUILD, HERE, ROOT
from server import Failure, Server

FRONT, IDLE = os.path.join(BUILD, "gobridge-lateness"), os.path.join(BUILD, "lateness")
LONGER = 3  # times the seconds of other cells: there are but 100 times of a timer in a second


@dataclasses.dataclass(frozen=True)
class TimerCell(Base):
    application: str = "plain:hello"
    workers: int = 2
    load: Load = Load()

    kind = "timer"

    def measure(self, name, seconds):
        build()
        times = {program: os.path.join(BUILD, os.path.basename(program) + ".times") for program in (FRONT, IDLE)}
        job = peers.Job(self.application, free_port(), self.workers)
        command = [FRONT] + peers.ALL[name].command(job)[1:]
        with Server("timer", command, job.port, env={"BENCH_LATENESS": times[FRONT]}) as server, \
                Server("timer-idle", [IDLE], 0, env={"BENCH_LATENESS": times[IDLE]}):
            server.verify(self.load, b"Hello, world!\n")
            load.warm(self.load, job.port)
            before = {program: os.path.getsize(path) for program, path in times.items()}
            cpu, begin = processes.own_cpu_seconds(server.pid), time.monotonic()
            result = load.run(self.load, job.port, seconds * LONGER)
            busy = (processes.own_cpu_seconds(server.pid) - cpu) / (time.monotonic() - begin)
            late = {program: since(times[program], before[program]) for program in times}
        return [(name + " front, with load", summary(late[FRONT], result["rate"], busy)),
                (name + ": an idle process beside it", summary(late[IDLE], 0, 0))]


def build():
    """A gobridge with the timer inside, by an overlay: its sources are as they are. Go builds only what has changed."""
    overlay = os.path.join(BUILD, "overlay.json")
    with open(overlay, "w") as f:
        json.dump({"Replace": {os.path.join(ROOT, "cmd", "gobridge", "lateness.go"): os.path.join(HERE, "lateness", "timer.go")}}, f)
    for program, package, more in ((FRONT, "./cmd/gobridge", ["-overlay", overlay]), (IDLE, "./tests/bench/lateness", [])):
        built = subprocess.run(["go", "build", "-trimpath"] + more + ["-o", program, package], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if built.returncode:
            raise Failure("could not be built with a timer:\n" + built.stdout)


def since(path, offset):
    """What the timer said from the offset on, in milliseconds. The first line may be of a time before."""
    with open(path) as f:
        f.seek(offset)
        found = [int(line) / 1e6 for line in f.read().splitlines()[1:]]
    if not found:
        raise Failure("said nothing of its timer in %s" % path)
    return found


def summary(late, rate, busy):
    """busy: processors that the process has used, 1.0 for a whole one."""
    return {"rate": rate, "busy": busy * 100, "p50": percentile(late, 50), "p99": percentile(late, 99), "longest": max(late)}
