"""The template, for drive.py: what may be forked and what may not, and what workers have of it."""
import os
import signal
import socket
import tempfile
import time

import drive

HARMLESS = ("nothing", "log_file", "executor", "ended_thread", "ended_process", "devices", "folder_open",
            "memory_database", "stops_before_fork", "forks")

# What is left behind, and what the reason must name.
HARMFUL = {
    "thread": ["1 thread was started at import (poller of time)"],
    "scheduler": ["1 thread was started at import (Scheduler of leftovers)"],
    "started_executor": ["1 thread was started at import (pool_0 of concurrent.futures.thread)"],
    "listening": ["1 socket is open (127.0.0.1:"],
    "connected": ["2 sockets are open (127.0.0.1:"],
    "loop": ["1 event loop was made at import", "2 sockets are open"],
    "epoll": ["1 event loop was made at import"],
    "database": ["1 file is open (", "db.sqlite3 (deleted) for writing)"],
    "written_file": ["1 file is open (", "-file (deleted) for writing)"],
    "read_file": ["1 file is open (", "leftovers.py for reading)"],
    "locked_file": ["1 file is open (", "-lock (deleted), which is locked)"],
    "queue": ["2 pipes are open"],
    "process": ["1 process was started at import (sleep)"],
}


class Template:
    """A template, from its request on; parent of workers as a zygote is."""

    def __init__(self, zygote, directory, application, preload="auto", incarnation=50, threads=1):
        self.written = zygote.written
        self.process = drive.Process(drive.spawn(zygote.sock, drive.TEMPLATE, incarnation, drive.settings(
            application=application, chdir=directory, interface="wsgi", threads=threads, multiprocess="1",
            preload=preload)))
        self.sock, self.pid, self.incarnation = self.process.sock, self.process.pid, incarnation

    def imported(self):
        _, forkable, _, payload, _ = drive.receive(self.sock, drive.IMPORTED)
        return forkable, payload.decode()

    def spawn(self, incarnation):
        return drive.spawn(self.sock, drive.SPAWN, incarnation)

    def worker(self, segment, slot, incarnation):
        """A new worker, which is ready."""
        w = drive.Worker(self, segment, slot, incarnation)
        w.setup("", "")
        w.ready()
        return w

    def become(self, segment, slot):
        """The worker that the template becomes."""
        w = self.process
        w.__class__ = drive.Worker
        w.serves(self, segment, slot, self.incarnation)
        w.setup("", "")
        w.ready()
        return w

    def end(self):
        self.sock.close()
        return self.process.wait()


def drained(w):
    drive.send(w.sock, drive.DRAIN)
    return w.wait()


def descriptors(pid):
    """What a process has open, by kind."""
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return links


def check(zygote, segment, directory, second):
    some = 2 if second else None
    check_decisions(zygote, segment, directory, HARMLESS[:some], list(HARMFUL.items())[:some])
    check_question(zygote, directory)
    check_workers(zygote, segment, directory)
    check_birth(zygote, directory)
    check_handlers(zygote, segment, directory)
    check_becoming(zygote, segment, directory)
    check_ends(zygote, segment, directory)


def check_decisions(zygote, segment, directory, harmless, harmful):
    for name in harmless:
        t = Template(zygote, directory, f"leftovers:{name}()")
        got = t.imported()
        drive.check(f"{name} may be forked", got == (1, ""), got)
        w = t.worker(segment, 0, 51)
        assert w.ask("/hello") == "hello"
        assert name != "stops_before_fork" or w.ask("/restarted") == "True"
        drive.check("  and its worker ends well", drained(w) == 0 and t.end() == 0)
    for name, words in harmful:
        t = Template(zygote, directory, f"leftovers:{name}()")
        forkable, reason = t.imported()
        drive.check(f"{name} may not be forked", not forkable and all(word in reason for word in words), reason)
        w = t.become(segment, 0)
        drive.check("  and serves as a worker", w.ask("/hello") == "hello" and drained(w) == 0)
    t = Template(zygote, directory, "leftovers:thread()", preload="on")
    forkable, reason = t.imported()
    drive.check("what is told to be forked is forked, with the reason", forkable and "poller" in reason, reason)
    w = t.worker(segment, 0, 51)
    drive.check("  and serves", w.ask("/hello") == "hello")
    w.sock.close()  # not drained: of the thread that is not there its memory is, which counts as leaked
    drive.check("  and ends", (w.wait(), t.end()) == (0, 0))


def check_question(zygote, directory):
    """The front asks where an import is that comes to its end just then."""
    t = Template(zygote, directory, "leftovers:holds_on()")
    asked, answered = os.memfd_create("asked", os.MFD_CLOEXEC), []
    time.sleep(0.3)
    drive.send(t.sock, drive.STACKS, fds=[asked])
    t.sock.settimeout(60)
    while drive.IMPORTED not in answered:
        answered.append(drive.receive(t.sock)[0])
    t.sock.settimeout(None)
    os.close(asked)
    drive.check("a question at the import's last moment holds nobody up", set(answered) <= {drive.STACKED, drive.IMPORTED})
    drive.check("  and the template ends", t.end() == 0)


def check_workers(zygote, segment, directory):
    t = Template(zygote, directory, "leftovers:own_state()")
    assert t.imported() == (1, "")
    drive.check("the template has its name", drive.proc(t.pid, "comm").strip() == "gobridge-templa")
    drive.check("it is the front's child", drive.proc(t.pid, "stat").rsplit(")", 1)[1].split()[1] == str(os.getpid()))
    workers = [t.worker(segment, i, 60 + i) for i in range(3)]
    for w in workers:
        drive.rests(w)  # it has what it opens when it is ready
    kinds = [sorted(link.split(":")[0] for link in descriptors(w.pid)) for w in workers]
    sockets = [{link for link in descriptors(w.pid) if link.startswith("socket:")} for w in workers]
    standard = {os.readlink(f"/proc/self/fd/{n}") for n in range(3)}
    own = [s - standard for s in sockets]
    drive.check("no worker holds another's socket or doorbell",
                kinds[0] == kinds[1] == kinds[2] and not own[0] & own[1] and not own[1] & own[2], (kinds, sockets))
    for w in (workers[0], workers[2]):
        drive.check_worker(w)
    drive.check_requests(workers[0])
    pages = [(w.ask("/import"), w.ask("/random"), w.ask("/own"), w.ask("/frozen")) for w in workers]
    drive.check("they have the template's import", {p[0] for p in pages} == {pages[0][0]} and
                pages[0][0].startswith(f"{t.pid} "), pages)
    drive.check("each has its own random numbers", len({p[1] for p in pages}) == 3, pages)
    drive.check("the handler that was set at import is in them", {p[2] for p in pages} == {"42"}, pages)
    drive.check("what was imported is frozen", {p[3] for p in pages} == {"True"}, pages)
    times = []
    for n in range(20):
        started = time.monotonic()
        w = t.worker(segment, 3, 70 + n)
        times.append(time.monotonic() - started)
        os.kill(w.pid, signal.SIGKILL)
        assert w.wait() == -9
        w.sock.close()
    print(f"  a worker is forked and ready in {sorted(times)[10] * 1000:.1f} ms (median of 20)")
    os.kill(t.pid, signal.SIGKILL)
    drive.check("a killed template is dead", t.process.wait() == -9)
    drive.check("its workers go on", all(w.ask("/hello") == "hello" for w in workers))
    drive.check("and end", [drained(w) for w in workers] == [0, 0, 0])


def check_birth(zygote, directory):
    t = Template(zygote, directory, "leftovers:hangs_when_born()")
    assert t.imported() == (1, "")
    marker = os.path.join(tempfile.gettempdir(), f"gobridge-leftover-{t.pid}-born")
    drive.check("the trial's child runs the handlers of a fork", os.path.exists(marker))
    sock = t.spawn(51)
    sock.settimeout(60)
    born = drive.Process(sock)
    os.unlink(marker)
    os.kill(born.pid, signal.SIGKILL)
    drive.check("a worker that hangs in one has said its name", (born.wait(), t.end()) == (-9, 0))


def check_handlers(zygote, segment, directory):
    """What the application sets for SIGTERM when the template imports it is called in each worker."""
    t = Template(zygote, directory, "handlers:make('exit')")
    assert t.imported() == (1, "")
    for n in range(2):
        w = t.worker(segment, n, 55 + n)
        drive.rests(w)
        os.kill(w.pid, signal.SIGTERM)
        w.begin(n, "/wait")
        while segment.state(n) != drive.RUNNING:
            time.sleep(0.001)
        drive.send(w.sock, drive.DRAIN)
        got = w.end(n), w.wait()
        drive.check("a template's worker calls the application's handler", got == ((200, b"MainThread 15, whole"), 0), got)
    assert t.end() == 0


def check_becoming(zygote, segment, directory):
    t = Template(zygote, directory, "leftovers:thread()")
    assert t.imported()[0] == 0
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    drive.send(t.sock, drive.SPAWN, a=52, fds=[theirs.fileno()])
    theirs.close()
    drive.check("a template that may not be forked refuses", drive.receive(t.sock)[:2] == (drive.FAILED, 52))
    w = t.become(segment, 4)
    drive.check_worker(w)
    drive.check_requests(w)
    drive.check("it ends as workers do", drained(w) == 0)


def check_ends(zygote, segment, directory):
    for application, text in (("nothing_here:app", "nothing_here"), ("broken:app", "ZeroDivisionError"), ("leftovers:ends()", "not today")):
        t = Template(zygote, directory, application)
        _, a, b, payload, _ = drive.receive(t.sock, drive.FAILED)
        drive.check(f"{application} is refused by a template", (a, b) == (50, 3) and text in payload.decode(), payload.decode()[-60:])
        drive.check("it exits 3", t.process.wait() == 3)
    t = Template(zygote, directory, "leftovers:stuck()")
    drive.check("without a front a template that hangs in its import goes", t.end() == 0)
    for name in ("nothing", "thread"):
        t = Template(zygote, directory, f"leftovers:{name}()")
        t.imported()
        drive.send(t.sock, drive.DRAIN)
        drive.check(f"a template ({name}) that is told to drain leaves", t.process.wait() == 0)
    t = Template(zygote, directory, "leftovers:nothing()")
    t.imported()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(t.pid, number)
    w = t.worker(segment, 5, 53)
    drive.check("SIGTERM, SIGINT and SIGHUP do nothing to a template", w.ask("/hello") == "hello")
    assert (drained(w), t.end()) == (0, 0)
