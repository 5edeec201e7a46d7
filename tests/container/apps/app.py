"""What an application in a container may do: wait, and leave processes behind."""

import os
import time


def waiting():
    """Wait until somebody has made /tmp/go."""
    open("/tmp/begun", "w").close()
    while not os.path.exists("/tmp/go"):
        time.sleep(0.01)
    return b"waited"


def abandoning():
    """Leave a process behind whose parent has gone; it ends at once."""
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            while os.getppid() != 1:
                time.sleep(0.01)
            with open("/tmp/orphans", "a") as orphans:
                orphans.write(f"{os.getpid()}\n")
        os._exit(0)
    os.waitpid(child, 0)
    return b"abandoned"


def app(environ, start_response):
    body = {"/wait": waiting, "/abandon": abandoning}.get(environ["PATH_INFO"], lambda: b"hello")()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
