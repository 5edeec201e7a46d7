"""The application that drive.py asks."""
import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import children as children_module

local = threading.local()


def hello(_):
    return "hello"


def echo(environ):
    return environ["wsgi.input"].read().decode()


def lines(environ):
    return b"".join(environ["wsgi.input"]).decode()


def gil(_):
    return str(getattr(sys, "_is_gil_enabled", lambda: True)())


def main(_):
    return str(threading.current_thread() is threading.main_thread())


def stay(_):
    local.count = getattr(local, "count", 0) + 1
    return str(local.count)


def recursion(_):
    def dive(n):
        return n and dive(n - 1)
    sys.setrecursionlimit(6000)
    dive(5000)
    return "deep"


def environment(_):
    return "%s %s" % (os.environ.get("GOBRIDGE_HOST_FD"), os.getenv("GOBRIDGE_HOST_FD"))


def executable(_):
    return sys.executable


def children(_):
    # Of all descriptors, 0 1 2 and the one that lists them.
    return subprocess.check_output(
        [sys.executable, "-c", "import os; d = os.listdir('/proc/self/fd'); print(*sorted(d)[:-1], end='')"]).decode()


def fork(_):
    """A child sees no descriptor of the bridge, and SIGTERM ends it."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        links = []
        for fd in os.listdir("/proc/self/fd"):
            try:
                link = os.readlink("/proc/self/fd/" + fd)
            except OSError:
                continue
            if "socket" in link or "anon_inode" in link:
                links.append(link)
        os.write(into, repr([x for x in links if x not in standard]).encode())
        time.sleep(60)
        os._exit(0)
    links = os.read(out, 4096).decode()
    os.close(out)
    os.close(into)
    os.kill(pid, signal.SIGTERM)
    return "%d %s" % (os.waitpid(pid, 0)[1], links)


def fork_again(_):
    """A fork of a fork has its parent's descriptors, and still none of the bridge."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        # The numbers that the host's descriptors had are the child's own now.
        mine = [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]
        if os.fork() == 0:
            closed = []
            for fd in mine:
                try:
                    os.fstat(fd)
                except OSError:
                    closed.append(fd)
            links = [os.readlink("/proc/self/fd/%d" % fd) for fd in map(int, os.listdir("/proc/self/fd")) if fd < mine[-1]]
            foreign = [x for x in links if ("socket" in x or "anon_inode" in x) and x not in standard]
            os.write(into, repr((closed, foreign)).encode())
            os._exit(0)
        os.wait()
        os._exit(0)
    os.close(into)
    text = os.read(out, 4096).decode()
    os.close(out)
    os.waitpid(pid, 0)
    return text


standard = [os.readlink("/proc/self/fd/%d" % fd) for fd in (0, 1, 2)]


def comeback(_):
    pid = os.fork()
    if pid == 0:
        return "child"
    return "parent %d" % os.waitpid(pid, 0)[1]


def fork_ends(_):
    """The exit codes of children that come back by an exception: those of a Python process."""
    codes = []
    for error in (SystemExit, SystemExit(7), SystemExit("last words of a child"), PermissionError("a child's error")):
        pid = os.fork()
        if pid == 0:
            raise error
        codes.append(os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
    return repr(codes)


def result(_):
    child = multiprocessing.get_context("fork").Process(target=print, kwargs={"end": ""})
    child.start()
    child.join()
    return "%s %d" % (threading.current_thread().name, child.exitcode)


def forked(_):
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join()
    return str(child.exitcode)


def terminate(_):
    """Children of each kind, ended by their parent when they run."""
    codes = []
    child = subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=subprocess.PIPE)
    child.stdout.readline()
    child.terminate()
    codes.append("subprocess %d" % child.wait())
    child.stdout.close()
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        ours, theirs = context.Pipe()
        child = context.Process(target=children_module.run, args=(theirs,))
        child.start()
        ours.recv()
        child.terminate()
        child.join()
        codes.append("%s %d" % (method, child.exitcode))
    return ", ".join(codes)


def handler(_):
    marker = os.path.join(tempfile.gettempdir(), "gobridge-handled-%d" % os.getpid())
    signal.signal(signal.SIGUSR1, lambda number, frame: open(marker, "w").close())
    return ""


def thread(_):
    return threading.current_thread().name


together = threading.Barrier(4)


def meet(_):
    recursion(None)
    together.wait()
    return str(threading.get_ident())


def sleep(_):
    time.sleep(0.5)
    return ""


def ident(_):
    return str(threading.get_ident())


def stuck(_):
    while True:
        pass


def die(_):
    os.write(2, b"last words\n")
    os.abort()


def at_exit(environ):
    path = environ["PATH_INFO"][len("/atexit"):]

    def note(text):
        with open(path, "a") as f:
            f.write(text + " ")

    def last():
        threading.main_thread().join()
        note("threads")

    threading.Thread(target=last).start()
    atexit.register(note, "exit")
    return ""


pages = {
    "hello": hello, "echo": echo, "lines": lines, "gil": gil, "main": main, "local": stay,
    "recursion": recursion, "environ": environment,
    "executable": executable, "subprocess": children, "fork": fork, "comeback": comeback, "multiprocessing": forked,
    "handler": handler, "meet": meet, "sleep": sleep, "thread": thread, "ident": ident, "stuck": stuck, "atexit": at_exit,
    "die": die, "forkagain": fork_again, "terminate": terminate,
    "forkends": fork_ends, "result": result,
}


def application(environ, start_response):
    body = pages[environ["PATH_INFO"].split("/")[1]](environ).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
