"""Workers that are renewed. What they do is steered by files beside the notes:
.closed holds the import up, .broken has it fail, .go ends the requests for /patient."""

import atexit
import os
import threading
import time
from urllib.parse import parse_qs

NOTES = os.environ["NOTES"]
KEPT = []


def note(line):
    with open(NOTES, "a", encoding="utf-8") as notes:
        notes.write(line + "\n")


def wait(until):
    while not until():
        time.sleep(0.01)


wait(lambda: not os.path.exists(NOTES + ".closed"))
if os.path.exists(NOTES + ".broken"):
    raise ValueError("broken on purpose")
atexit.register(lambda: note(f"left-{os.getpid()} yes"))


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/patient":
        note(f"patient {os.getpid()}")
        wait(lambda: os.path.exists(NOTES + ".go"))
    elif path == "/keep":
        mebibytes = int(parse_qs(environ["QUERY_STRING"])["mebibytes"][0])
        KEPT.append(b"x" * (mebibytes << 20))
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/thread":
        return [f"{os.getpid()} {threading.get_ident()}".encode()]
    return [str(os.getpid()).encode()]
