"""A front in Python: carries requests through the C host without any Go.

usage: python3 drive.py embedded    LIBPYTHON PYTHON EXECUTABLE [--smoke | --second-host]
       python3 drive.py interpreter -         PYTHON LIBRARY    [--smoke | --second-host]

EXECUTABLE is a program that holds the C host (its constructor); LIBRARY is
gobridge-host.so. PYTHON becomes sys.executable. Needs Python 3.10 itself. It
exits 0 when everything was as it must be. --smoke: requests and a drain only.
--second-host: what the interpreter's other host has shown of Python (what an import
may leave behind) only by an example of each kind.
"""
import ctypes
import fcntl
import mmap
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

BOOT, SPAWN, SETUP, DRAIN, TEMPLATE, STACKS = 1, 2, 3, 4, 5, 7
BOOTED, HELLO, READY, FAILED, SPAWNED, IMPORTED, STACKED = 16, 17, 18, 19, 20, 21, 22
QUEUED, RUNNING, DONE = 1, 2, 3
PIPE, STREAMS, WORKERS, REACTORS, INBOX = 65536, 64, 8, 1, 64
SPIN_NS = 50000
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "layout.h")) as layout:
    LAYOUT_VERSION = int(re.search(r"#define GB_LAYOUT_VERSION (\d+)u", layout.read())[1])
STREAM, WORKER, ASLEEP = 384, 128, 1
HERE = os.path.dirname(os.path.abspath(__file__))


def settings(**pairs):
    return b"".join(f"{k}\0{v}\0".encode() for k, v in pairs.items())


def send(sock, kind, a=0, b=0, payload=b"", fds=()):
    packet = struct.pack("<IIQQ", kind, len(payload), a, b) + payload
    socket.send_fds(sock, [packet], list(fds)) if fds else sock.send(packet)


def receive(sock, want=None):
    data, fds, _, _ = socket.recv_fds(sock, 131072, 16)
    if not data:
        raise EOFError("the other end is gone")
    kind, _, a, b = struct.unpack_from("<IIQQ", data)
    payload = data[24:]
    if want is not None and kind != want:
        raise AssertionError(f"message {kind} instead of {want}: {payload.decode(errors='replace')}")
    return kind, a, b, payload, fds


class Segment:
    """The memory that front and workers share; one reactor, which always sleeps."""

    def __init__(self):
        header = 112
        self.reactors = 128
        self.workers = self.reactors + 64 * REACTORS
        self.stride = WORKER + 16 * INBOX
        self.news = self.workers + WORKERS * self.stride
        self.streams = self.news + 2 * WORKERS * REACTORS * 128
        self.pipes = (self.streams + STREAMS * STREAM + 4095) // 4096 * 4096
        size = self.pipes + 2 * STREAMS * PIPE
        self.fd = os.memfd_create("segment", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, size)
        self.seal()
        self.map = mmap.mmap(self.fd, size)
        self.words, self.longs = memoryview(self.map).cast("I"), memoryview(self.map).cast("Q")
        struct.pack_into("<QIIQIIIIIIIIQQQQQQQ", self.map, 0, 0x6567646972626F67, LAYOUT_VERSION, header, size, WORKERS, REACTORS,
                         STREAMS, PIPE, INBOX, 1, SPIN_NS, 0, self.reactors, self.workers, self.stride, self.news, 128,
                         self.streams, self.pipes)
        self.put32(self.reactors, ASLEEP)
        self.doorbell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.sequence = 0

    def seal(self):
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)

    # What both sides look at is stored in one piece; struct clears the bytes first, and a
    # worker that looks between finds a counter that has gone back to 0.

    def get32(self, at):
        return self.words[at // 4]

    def put32(self, at, value):
        self.words[at // 4] = value

    def get64(self, at):
        return self.longs[at // 8]

    def put64(self, at, value):
        self.longs[at // 8] = value

    def worker(self, slot):
        return self.workers + slot * self.stride

    def state(self, stream):
        return self.get64(self.streams + stream * STREAM) >> 60


class Zygote:
    def __init__(self, host, library, python, program):
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = dict(os.environ, GOBRIDGE_HOST_FD=str(theirs.fileno()))
        if "GB_PRELOAD" in os.environ:  # the sanitizer's runtime, when only the library was built with it
            environment["LD_PRELOAD"] = os.environ["GB_PRELOAD"]
        command = [program] if host == "embedded" else [
            python, "-X", "utf8", "-u", "-c",
            "import sys\nif sys.path and sys.path[0] == '':\n    del sys.path[0]\n"
            "import ctypes\nctypes.PyDLL(sys.argv[1]).gb_host_main()", program]
        started = time.monotonic()
        # A file, so that what a dead worker wrote can be said; main shows all of it.
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stderr=self.stderr)
        theirs.close()
        helper = os.memfd_create("helper")
        for module in ("_gobridge", "_gobridge_preload", "_gobridge_evidence", "_gobridge_asgi"):
            with open(f"{HERE}/../../python/{module}.py", "rb") as source:
                os.write(helper, module.encode() + b"\0" + source.read() + b"\0")
        send(self.sock, BOOT, payload=settings(library=library if host == "embedded" else "", program=python),
             fds=[helper])
        os.close(helper)
        version = receive(self.sock, BOOTED)[3].decode().split()[0]
        print(f"{host} host: Python {version}, up in {(time.monotonic() - started) * 1000:.0f} ms")

    def spawn(self, incarnation):
        return spawn(self.sock, SPAWN, incarnation)

    def written(self):
        """What the zygote and its workers have written to standard error."""
        return os.pread(self.stderr.fileno(), os.fstat(self.stderr.fileno()).st_size, 0).decode(errors="replace")


def spawn(sock, kind, incarnation, payload=b""):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    send(sock, kind, a=incarnation, payload=payload, fds=[theirs.fileno()])
    theirs.close()
    assert receive(sock, SPAWNED)[1] == incarnation
    return ours


class Process:
    """A child of the front's: it has said its name on its own socket."""

    def __init__(self, sock):
        self.sock = sock
        _, self.pid, _, _, (self.pidfd,) = receive(self.sock, HELLO)

    def wait(self):
        """How it ended."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        return os.waitstatus_to_exitcode(status)


class Worker(Process):
    def __init__(self, parent, segment, slot, incarnation):
        before = len(parent.written())
        super().__init__(parent.spawn(incarnation))
        self.serves(parent, segment, slot, incarnation)
        self.before = before

    def serves(self, parent, segment, slot, incarnation):
        self.parent, self.segment, self.slot, self.incarnation = parent, segment, slot, incarnation
        self.before = len(parent.written())
        self.doorbell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.left = os.memfd_create("evidence", os.MFD_CLOEXEC)
        fcntl.fcntl(self.left, fcntl.F_SETFL, os.O_APPEND)

    def evidence(self):
        """What it has left in its file for evidence."""
        return os.pread(self.left, 1 << 20, 0).decode()

    def setup(self, application, directory, threads=1):
        segment = self.segment
        segment.put32(segment.worker(self.slot), self.incarnation)
        send(self.sock, SETUP, a=self.slot, b=self.incarnation,
             payload=settings(application=application, chdir=directory, interface="wsgi", threads=threads,
                              multiprocess="1"), fds=[segment.fd, self.doorbell, segment.doorbell, self.left])

    def ready(self):
        try:
            receive(self.sock, READY)
        except EOFError:
            raise AssertionError(f"the worker died before it was ready: {self.death()}") from None

    def death(self):
        """How a worker that should live has died, and what it, or another one meanwhile, wrote."""
        code, said = self.wait(), []
        try:
            while True:
                kind, _, _, payload, _ = receive(self.sock)
                said.append(f"message {kind}: {payload.decode(errors='replace')}")
        except (EOFError, OSError):
            pass
        ended = f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.Signals(-code).name})"
        return "\n".join([f"{ended}; it said:", *said, "standard error since it was forked:",
                          self.parent.written()[self.before:]])

    def begin(self, stream, path, body=b""):
        s = self.segment
        variables = b"".join(
            struct.pack("<HHI", len(k), 0, len(v)) + k + v for k, v in {
                b"REQUEST_METHOD": b"POST" if body else b"GET", b"SCRIPT_NAME": b"", b"PATH_INFO": path.encode(),
                b"QUERY_STRING": b"", b"SERVER_NAME": b"localhost", b"SERVER_PORT": b"80",
                b"SERVER_PROTOCOL": b"HTTP/1.1", b"REMOTE_ADDR": b"127.0.0.1", b"wsgi.url_scheme": b"http",
                b"CONTENT_LENGTH": str(len(body)).encode()}.items())
        data = struct.pack("<IHHQ", 16 + len(variables), 10, 0, len(body)) + variables + body
        at, pipe = s.streams + stream * STREAM, s.pipes + 2 * stream * PIPE
        s.map[at + 8:at + STREAM] = bytes(STREAM - 8)
        s.map[pipe:pipe + len(data)] = data
        s.put32(at + 20, 1)  # BODY_END
        s.put64(at + 128, len(data))
        s.sequence += 1
        word = QUEUED << 60 | self.incarnation << 36 | s.sequence
        s.put64(at, word)
        worker = s.worker(self.slot)
        put = s.get32(worker + 4)
        struct.pack_into("<QII", s.map, worker + WORKER + 16 * (put % INBOX), word, stream, 0)
        s.put32(worker + 4, put + 1)
        if s.get32(worker + 68):
            os.eventfd_write(self.doorbell, 1)

    def end(self, stream):
        """Waits until the stream is done; its response as (status, body)."""
        s = self.segment
        at, pipe = s.streams + stream * STREAM, s.pipes + (2 * stream + 1) * PIPE
        while s.state(stream) != DONE:
            ready, _, _ = select.select([s.doorbell, self.pidfd], [], [])
            if self.pidfd in ready and s.state(stream) != DONE:
                raise AssertionError(f"worker died with stream {stream} in state {s.state(stream)}: {self.death()}")
            try:
                os.eventfd_read(s.doorbell)
            except BlockingIOError:
                pass
        written = s.get64(at + 256) & 0xFFFFFFFF
        data, status, body = s.map[pipe:pipe + written], 0, b""
        if s.get32(at + 64) != 0:
            return 0, data
        while data:
            kind, size = struct.unpack_from("<II", data)
            payload, data = data[8:8 + size], data[8 + size:]
            if kind == 1:
                status = struct.unpack_from("<H", payload)[0]
            else:
                body += payload
        return status, body

    def ask(self, path, body=b"", stream=None):
        stream = self.slot if stream is None else stream
        self.begin(stream, path, body)
        status, answer = self.end(stream)
        assert status == 200, (path, status, answer)
        return answer.decode()


def check(name, is_so, got=""):
    print(f"  {'ok' if is_so else 'NOT SO'}  {name} {got}")
    if not is_so:
        sys.exit(1)


def proc(pid, name):
    return open(f"/proc/{pid}/{name}").read()


def check_stores(segment):
    """Nobody sees a store half done: a child watches a counter that only grows."""
    segment.put32(segment.workers, 1)
    child = os.fork()
    if child == 0:
        seen = 1
        while seen != 0 and seen < 300000:
            seen = segment.get32(segment.workers)
        os._exit(seen == 0)
    for value in range(2, 300001):
        segment.put32(segment.workers, value)
    check("the driver's own stores are whole", os.waitpid(child, 0)[1] == 0)


def check_death(w):
    """What this program says when a worker dies that should not."""
    w.begin(w.slot, "/die")
    try:
        w.end(w.slot)
        text = "nothing"
    except AssertionError as error:
        text = str(error)
    check("a worker's death is told", "in state 2: signal 6 (SIGABRT)" in text and "last words" in text, text)


def check_worker(w):
    stat = proc(w.pid, "stat").rsplit(")", 1)[1].split()
    check("it is the front's child", int(stat[1]) == os.getpid())
    check("it has its name", proc(w.pid, "comm").strip() == "gobridge-worker")
    links = {os.readlink(f"/proc/{w.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{w.pid}/fd")}
    memfds = [link for link in links if "memfd" in link]
    check("it holds no memfd but that for evidence", memfds == ["/memfd:evidence (deleted)"], memfds)
    maps = proc(w.pid, "smaps").split("memfd:segment", 1)[1].split("VmFlags:", 1)[1].split("\n", 1)[0]
    check("the segment is kept from forks and core dumps", "dc" in maps.split() and "dd" in maps.split(), maps)


def handled(w):
    """Does the handler run for a signal that comes as the worker goes to sleep?"""
    marker = os.path.join(tempfile.gettempdir(), f"gobridge-handled-{w.pid}")
    w.begin(w.slot, "/handler")
    w.end(w.slot)
    moment = time.monotonic() + random.uniform(0, 0.001)
    while time.monotonic() < moment:
        pass
    os.kill(w.pid, signal.SIGUSR1)
    limit = time.monotonic() + 60
    while not os.path.exists(marker):
        if time.monotonic() > limit:
            return False
        time.sleep(0.0005)
    os.unlink(marker)
    return True


def check_requests(w):
    check("hello", w.ask("/hello") == "hello")
    for _ in range(200):
        assert w.ask("/hello") == "hello"
    check("body comes back", w.ask("/echo", b"x" * 30000) == "x" * 30000)
    check("requests run on the main thread", w.ask("/main") == "True")
    check("thread-local data stays", (w.ask("/local"), w.ask("/local")) == ("1", "2"))
    check("deep recursion", w.ask("/recursion") == "deep")
    check("the variable is gone", w.ask("/environ") == "None None", w.ask("/environ"))
    check("sys.executable is right", w.ask("/executable") == os.path.abspath(sys.argv[3]), w.ask("/executable"))
    check("a subprocess inherits nothing", w.ask("/subprocess") == "0 1 2", w.ask("/subprocess"))
    check("a forked child is free of the bridge", w.ask("/fork") == "15 []", w.ask("/fork"))
    check("so is a child of that, and it keeps what is its own", w.ask("/forkagain") == "([], [])", w.ask("/forkagain"))
    check("a child that comes back from the application does no harm", w.ask("/comeback") == "parent 0")
    check("a child that comes back by an exception exits as Python does", w.ask("/forkends") == "[0, 7, 1, 1]", w.ask("/forkends"))
    written = w.parent.written()
    check("and says why", "last words of a child\n" in written and "PermissionError: a child's error\n" in written
          and "gets 500" not in written, written)
    check("children end by their own terminate()", w.ask("/terminate") == "subprocess -15, fork -15, spawn -15",
          w.ask("/terminate"))
    check("multiprocessing, forked and terminated", {w.ask("/multiprocessing") for _ in range(20)} == {"-15"})
    check("the application's signal handler runs while idle, and before that", all(handled(w) for _ in range(200)))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        os.kill(w.pid, number)
    check("SIGTERM, SIGINT, SIGHUP and SIGQUIT do nothing", w.ask("/hello") == "hello")


def check_threads(w):
    for stream in range(4):
        w.begin(10 + stream, "/meet")
    idents = {w.end(10 + stream)[1] for stream in range(4)}
    check("four requests run at once, in four threads", len(idents) == 4, idents)
    check("they have names", {w.ask("/thread") for _ in range(20)} <= {"MainThread", "wsgi-2", "wsgi-3", "wsgi-4"})
    results = set()
    while {result.split()[0] for result in results} != {"MainThread", "wsgi-2", "wsgi-3", "wsgi-4"}:
        for stream in range(4):
            w.begin(10 + stream, "/result")
        results |= {w.end(10 + stream)[1].decode() for stream in range(4)}
    check("children of multiprocessing exit 0, whichever thread forks them", all(r.endswith(" 0") for r in results), results)
    idents = set()
    for _ in range(200):
        idents.add(w.ask("/ident"))
    print(f"  one request after the other: {len(idents)} of 4 threads served 200")


def check_load(w):
    """All threads at once, truly at once without a GIL; every answer is its own request's."""
    for turn in range(100):
        bodies = {stream: f"{turn} {stream} ".encode() * 500 for stream in range(30, 62)}
        for stream, body in bodies.items():
            w.begin(stream, "/echo" if stream % 2 else "/lines", body)
        for stream, body in bodies.items():
            assert w.end(stream) == (200, body), (turn, stream)
    check("3200 requests at once have their own answers", True)
    check("the GIL is what the build has", w.ask("/gil") == subprocess.check_output(
        [sys.argv[3], "-c", "import sysconfig; print(not sysconfig.get_config_var('Py_GIL_DISABLED'), end='')"]).decode())


def check_drain(w):
    marker = tempfile.mktemp()
    w.ask("/atexit" + marker)
    w.begin(20, "/sleep")
    while w.segment.state(20) != RUNNING:
        time.sleep(0.001)
    w.begin(21, "/hello")
    send(w.sock, DRAIN)
    check("drain finishes what runs and what waits", (w.end(20)[0], w.end(21)[0]) == (200, 200))
    check("it exits 0", w.wait() == 0)
    check("exit handlers have run", open(marker).read() == "threads exit ", open(marker).read())
    os.unlink(marker)


def rests(w):
    """Waits until a worker's main thread sleeps on its doorbell: in epoll_wait or epoll_pwait."""
    while proc(w.pid, "syscall").split()[0] not in ("232", "281", "22"):
        time.sleep(0.001)


def check_handler(zygote, segment, directory, kind, late, threads=1):
    """The application's own SIGTERM handler, set at its import or in a request, is called at the drain."""
    check_handler.incarnation += 1
    marker = tempfile.mktemp()
    w = Worker(zygote, segment, 5, check_handler.incarnation)
    w.setup("handlers:make(%r)" % ("none" if late else kind), directory, threads=threads)
    w.ready()
    w.ask("/atexit" + marker)
    while late:  # signal.signal wants the main thread
        for stream in range(threads):
            w.begin(40 + stream, "/set/" + kind)
        if (200, b"main thread") in [w.end(40 + stream) for stream in range(threads)]:
            break
    rests(w)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
        os.kill(w.pid, number)
    for stream in range(threads):
        w.begin(40 + stream, "/wait")
    while any(segment.state(40 + stream) != RUNNING for stream in range(threads)):
        time.sleep(0.001)
    send(w.sock, DRAIN)
    answers = {w.end(40 + stream) for stream in range(threads)}
    how = f"{kind}, set {'late' if late else 'at import'}, {threads} threads"
    check(f"requests see the handler's call and finish ({how})", answers == {(200, b"MainThread 15, whole")}, answers)
    check("it exits 0", w.wait() == 0)
    check("the handler was called once", open(marker).read() == "MainThread 15 ", open(marker).read())
    os.unlink(marker)
    told = "handler of SIGTERM failed" in zygote.written()[w.before:]
    check("what it raises is told, if it is no wish to end", told == (kind == "fail"))


check_handler.incarnation = 200


def check_handlers(zygote, segment, directory):
    for late in (False, True):
        for kind in ("flag", "exit", "interrupt", "fail", "default"):
            check_handler(zygote, segment, directory, kind, late)
        check_handler(zygote, segment, directory, "exit", late, threads=4)
    # One that has nothing to do; and one whose application wants signals to end it.
    for setup, kind in (("flag", None), ("none", "dfl")):
        check_handler.incarnation += 1
        marker = tempfile.mktemp()
        w = Worker(zygote, segment, 5, check_handler.incarnation)
        w.setup("handlers:make(%r)" % setup, directory)
        w.ready()
        w.ask("/atexit" + marker)
        if kind:
            w.ask("/set/" + kind)
        rests(w)
        os.kill(w.pid, signal.SIGTERM)
        send(w.sock, DRAIN)
        check("an idle worker drains", w.wait() == 0)
        called = open(marker).read()
        check("its handler was called, if it has one", called == ("" if kind else "MainThread 15 "), called)
        os.unlink(marker)


def check_failures(zygote, segment, directory):
    for application, text in (("nothing_here:app", "nothing_here"), ("broken:app", "ZeroDivisionError"),
                              ("unsayable:app", "the folder caf\\udce9 and \\x00 are"), ("silent:app", "nobody to hear")):
        w = Worker(zygote, segment, 6, 90)
        w.setup(application, directory)
        _, a, b, payload, _ = receive(w.sock, FAILED)
        check(f"{application} is refused", (a, b) == (90, 3) and text in payload.decode(), payload.decode()[-60:])
        check("it exits 3", w.wait() == 3)
    w = Worker(zygote, segment, 6, 94)
    w.setup("forking:application", directory)
    w.ready()
    check("children that an import forks exit as Python does", w.ask("/") == "[7, 1]", w.ask("/"))
    written = w.parent.written()[w.before:]
    check("and say why", "ValueError: a child of the import\n" in written, written)
    os.kill(w.pid, signal.SIGKILL)
    w.wait()
    w = Worker(zygote, segment, 7, 91)
    send(w.sock, SETUP, a=7, b=92)
    check("nonsense is refused", receive(w.sock, FAILED)[2] == 1 and w.wait() == 1)
    w = Worker(zygote, segment, 7, 93)
    w.sock.close()
    check("without a front before the setup it goes", w.wait() == 0)


def main():
    host, library, python, program = sys.argv[1:5]
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    zygote, segment = Zygote(host, library, python, os.path.abspath(program)), Segment()
    try:
        if "--smoke" in sys.argv[5:]:
            check_some(zygote, segment)
        else:
            check_all(zygote, segment, second="--second-host" in sys.argv[5:])
    finally:
        sys.stdout.flush()
        sys.stderr.write(zygote.written())


def check_some(zygote, segment):
    workers = [Worker(zygote, segment, i, 1 + i) for i in range(2)]
    for i, w in enumerate(workers):
        w.setup("hello:application", os.path.join(HERE, "app"), threads=4 if i == 1 else 1)
    for w in workers:
        w.ready()
    check_worker(workers[0])
    check_requests(workers[0])
    check_threads(workers[1])
    check_load(workers[1])
    check_drain(workers[0])
    check_drain(workers[1])
    zygote.sock.close()
    check("without a front the zygote goes", zygote.process.wait() == 0)


def check_all(zygote, segment, second):
    import evidence  # which imports this module, as the next one does
    import template
    application, directory = "hello:application", os.path.join(HERE, "app")
    check_stores(segment)
    check("the zygote has its name", proc(zygote.process.pid, "comm").strip() == "gobridge-zygote")

    template.check(zygote, segment, directory, second)
    started = time.monotonic()
    workers = [Worker(zygote, segment, i, 1 + i) for i in range(5)]
    print(f"  5 workers forked in {(time.monotonic() - started) * 1000:.1f} ms")
    for i, w in enumerate(workers):
        w.setup(application, directory, threads=4 if i == 1 else 1)
    for w in workers:
        w.ready()
    print(f"  and ready after {(time.monotonic() - started) * 1000:.1f} ms")

    check_worker(workers[0])
    check_requests(workers[0])
    check_threads(workers[1])
    check_load(workers[1])
    check_drain(workers[0])
    check_drain(workers[1])
    check_handlers(zygote, segment, directory)
    check_failures(zygote, segment, directory)
    evidence.check(zygote, segment, directory)

    lost = Worker(zygote, segment, 5, 89)
    lost.setup(application, directory)
    lost.ready()
    check_death(lost)

    workers[2].begin(30, "/stuck")
    while segment.state(30) != RUNNING:
        time.sleep(0.001)
    workers[2].sock.close()
    check("without a front a stuck worker goes", workers[2].wait() == 0)
    os.kill(workers[3].pid, signal.SIGKILL)
    check("a killed one is dead", workers[3].wait() == -9)
    orphan = template.Template(zygote, directory, application)
    orphan.imported()
    zygote.sock.close()
    check("without a front the zygote goes", zygote.process.wait() == 0)
    check("its workers live on", workers[4].ask("/hello") == "hello")
    late = orphan.worker(segment, 5, 6)
    check("its template forks workers still", late.ask("/hello") == "hello")
    check("and these end", template.drained(late) == 0 and orphan.end() == 0)
    send(workers[4].sock, DRAIN)
    check("and end", workers[4].wait() == 0)


if __name__ == "__main__":
    sys.modules["drive"] = sys.modules["__main__"]  # for evidence.py and template.py
    main()
