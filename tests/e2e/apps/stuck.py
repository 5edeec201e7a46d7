"""Requests that never come to an end, each in another way, and ones that crash the worker."""

import ctypes
import os
import re
import threading
import time

TEXT = [("Content-Type", "text/plain")]
held = threading.Lock()


def note(line):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
        notes.write(f"{line} {os.getpid()}\n")


def sleeping():
    time.sleep(600)


def looping():
    while True:
        pass


def deadlocked():
    held.acquire()
    held.acquire()


def in_c():
    ctypes.PyDLL(None).sleep(600)  # with the GIL


def matching():
    re.match("(a*)*$", "a" * 60 + "b")  # with the GIL, for years


def crashing():
    ctypes.string_at(0)


def aborting():
    os.abort()


def patient():
    """Waits until the test has made the file."""
    while not os.path.exists(os.environ["NOTES"] + ".go"):
        time.sleep(0.01)


def begun():
    """A part of the answer goes out."""
    yield b"first half, "
    note("sent")
    time.sleep(600)


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    if name != "pid":
        note(name)
        pieces = globals()[name]()
        if pieces is not None:
            start_response("200 OK", TEXT)
            return pieces
    start_response("200 OK", TEXT)
    return [str(os.getpid()).encode()]
