"""Is the GIL off, and do threads run at once?"""

import sys
import threading
import time

sys.setswitchinterval(3600)  # with a GIL, a thread that only computes would never let go of it

TEXT = [("Content-Type", "text/plain")]
arrived = []


def gil(_):
    return str(sys._is_gil_enabled())


def echo(environ):
    """What the client sent, through much of what requests share."""
    lines = list(environ["wsgi.input"])
    return environ["QUERY_STRING"] + environ["HTTP_X_NONCE"] + b"".join(lines).decode()


def meet(environ):
    """Compute until as many requests do as the query says, then answer with the thread."""
    wanted, until = int(environ["QUERY_STRING"]), time.monotonic() + 120
    arrived.append(threading.get_ident())
    while len(arrived) < wanted:
        if time.monotonic() > until:
            return "alone"
    return str(threading.get_ident())


pages = {"/gil": gil, "/echo": echo, "/meet": meet}


def application(environ, start_response):
    body = pages[environ["PATH_INFO"]](environ).encode()
    start_response("200 OK", TEXT + [("X-Nonce", environ.get("HTTP_X_NONCE", ""))])
    return [body]
