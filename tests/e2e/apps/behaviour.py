"""Requests that are slow, and requests that end the worker. Each notes its begin."""

import os
import signal
import time
from urllib.parse import parse_qs

TEXT = [("Content-Type", "text/plain")]


def note(line):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
        notes.write(line + "\n")


def begun(path):
    note(f"{path} {os.getpid()}")


def sleep(seconds):
    """Sleep, then answer."""
    time.sleep(seconds)
    yield b"slept"


def patient(seconds):
    """Answer when the test has made the file."""
    while not os.path.exists(os.environ["NOTES"] + ".go"):
        time.sleep(0.01)
    yield b"waited"


def half(seconds):
    """Answer a part, sleep, answer the rest."""
    yield b"first half, "
    note("half-sent yes")
    time.sleep(seconds)
    yield b"second half"


def leave(seconds):
    os._exit(7)


def become(seconds):
    """Another program in this process."""
    os.execv("/bin/sleep", ["sleep", "600"])


def abort(seconds):
    os.abort()


def overrun(seconds):
    """A signal that Python does not turn into an exception."""
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(seconds)


def bequeath(seconds):
    """End, and leave a process behind that has every descriptor."""
    for fd in os.listdir("/proc/self/fd"):
        try:
            os.set_inheritable(int(fd), True)
        except OSError:
            pass  # the one that lists them
    note(f"heir {os.posix_spawn('/bin/sleep', ['sleep', '600'], os.environ)}")
    os.kill(os.getpid(), signal.SIGKILL)


def grow(seconds):
    """Take memory until there is no more, or the test has no more of it."""
    kept = []
    while len(kept) < 64:
        kept.append(b"x" * (16 << 20))
    return [b"1 GiB"]


def fail(seconds):
    raise ValueError("failed on purpose")


def fail_late(seconds):
    yield b"a part"
    raise ValueError("failed on purpose, late")


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    seconds = float(parse_qs(environ["QUERY_STRING"]).get("seconds", ["0"])[0])
    if name == "pid":
        start_response("200 OK", TEXT)
        return [str(os.getpid()).encode()]
    begun(name)
    pieces = globals()[name](seconds)
    if name in ("sleep", "half", "patient"):
        start_response("200 OK", TEXT)
        return pieces
    if name == "fail_late":
        start_response("200 OK", TEXT + [("Content-Length", "100")])
    return pieces
