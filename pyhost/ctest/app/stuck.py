"""An application that gets stuck, and that crashes, for evidence.py."""
import ctypes
import faulthandler
import multiprocessing
import os
import sys
import tempfile
import threading
import time

held = threading.Lock()


def sleeps():
    time.sleep(600)


def loops():
    while True:
        pass


def deadlocks():
    with held:
        held.acquire()


def sits_in_c():
    ctypes.PyDLL(None).sleep(600)  # which keeps the GIL


def dives():
    def dive(n):
        return n and dive(n - 1)
    while True:
        dive(50)


def crashes():
    ctypes.string_at(0)


def aborts():
    os.abort()


def forked_crash():
    pid = os.fork()
    if pid == 0:
        crashes()
    return str(os.waitpid(pid, 0)[1])


def enabled_in_fork():
    answers = multiprocessing.get_context("fork").SimpleQueue()
    child = multiprocessing.get_context("fork").Process(target=lambda: answers.put(faulthandler.is_enabled()))
    child.start()
    child.join()
    return str(answers.get())


def enables():
    """The application's own way, as it would be at its import."""
    own = tempfile.NamedTemporaryFile(delete=False)
    faulthandler.enable(own)
    return own.name


def application(environ, start_response):
    answer = getattr(sys.modules[__name__], environ["PATH_INFO"][1:])() or ""
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer.encode()]
