"""Answers with what stood in the file `version` beside it when it was imported."""

import os
import pathlib
import time

VERSION = pathlib.Path(__file__).with_name("version").read_text(encoding="utf-8")
if VERSION.startswith("slow"):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
        notes.write(f"importing {VERSION}\n")
    while VERSION == pathlib.Path(__file__).with_name("version").read_text(encoding="utf-8"):
        time.sleep(0.01)
if VERSION == "leaves an heir":  # a process that has every descriptor
    for fd in os.listdir("/proc/self/fd"):
        try:
            os.set_inheritable(int(fd), True)
        except OSError:
            pass  # the one that lists them
    with open(os.environ["NOTES"], "a", encoding="utf-8") as noted:
        noted.write(f"heir {os.posix_spawn('/bin/sleep', ['sleep', '600'], os.environ)}\n")
    os._exit(5)
if VERSION == "hangs when born":

    def hang():
        """In each fork but the first, which is the template's trial."""
        with open(os.environ["NOTES"], "a+", encoding="utf-8") as noted:
            noted.seek(0)
            again = "forked" in noted.read()
            noted.write("hangs here\n" if again else "forked here\n")
        if again:
            time.sleep(600)

    os.register_at_fork(after_in_child=hang)
if VERSION.startswith("broken"):
    raise RuntimeError("this version cannot be imported")


def halves():
    """Answer a part, and the rest when the file `go` is there."""
    yield VERSION.encode()
    while not pathlib.Path(__file__).with_name("go").exists():
        time.sleep(0.01)
    yield b", still " + VERSION.encode()


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return halves() if environ["PATH_INFO"] == "/halves" else [VERSION.encode()]
