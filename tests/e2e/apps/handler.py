"""An application that wants SIGTERM to end it, as many scripts do."""

import os
import signal
import sys
import threading
import time


def note(line):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
        notes.write(line + "\n")


TOLD = threading.Event()


def leave(number, _):
    TOLD.set()
    note(f"handled-{os.getpid()} {number}")
    sys.exit(1)


signal.signal(signal.SIGTERM, leave)


def application(environ, start_response):
    note(f"begun {os.getpid()}")
    if environ["PATH_INFO"] == "/until-told":
        while not TOLD.is_set():  # a handler runs between two steps of this
            time.sleep(0.01)
    else:
        time.sleep(0.7)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"slept"]
