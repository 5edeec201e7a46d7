"""An application that wants SIGTERM to end it, as many scripts do."""

import os
import signal
import sys
import time


def note(line):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
        notes.write(line + "\n")


def leave(number, _):
    note(f"handled-{os.getpid()} {number}")
    sys.exit(1)


signal.signal(signal.SIGTERM, leave)


def application(environ, start_response):
    note(f"begun {os.getpid()}")
    time.sleep(0.7)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"slept"]
