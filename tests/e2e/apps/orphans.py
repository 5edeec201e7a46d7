"""A process that nobody waits for: its parent has gone when it ends."""

import os


def abandon():
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            while os.getppid() != 1:
                pass
            with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
                notes.write(f"orphan {os.getpid()}\n")
        os._exit(0)
    os.waitpid(child, 0)


def application(environ, start_response):
    abandon()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getppid()).encode()]
