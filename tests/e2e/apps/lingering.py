"""An exit handler that takes very long."""

import atexit
import os
import time


def linger():
    with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
        notes.write(f"lingering {os.getpid()}\n")
    time.sleep(600)


atexit.register(linger)


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]
