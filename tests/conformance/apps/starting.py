"""Pages about start_response and the head of the answer."""

import json
import sys
from urllib.parse import unquote_to_bytes

from common import note, page, wait


@page
def writes(environ, start_response):
    """The old way, and what is written is on its way before the iterable is asked."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"one ")
    write(b"")
    write(b"two ")

    def rest():
        wait(environ["QUERY_STRING"])
        yield b"three"

    return rest()


@page
def twice(environ, start_response):
    """Without exc_info; the first one stays."""
    start_response("200 OK", [("X-First", "1")])
    try:
        start_response("201 Created", [("X-Second", "2")])
    except AssertionError:
        return [b"AssertionError"]
    return [b"no AssertionError"]


@page
def twice_raising(environ, start_response):
    start_response("200 OK", [("X-First", "1")])
    start_response("201 Created", [("X-Second", "2")])
    return [b"not this"]


@page
def replaced(environ, start_response):
    """With exc_info and nothing sent: all of the first is gone."""
    start_response("200 OK", [("X-First", "1"), ("Content-Length", "1000")])
    try:
        raise KeyError("on purpose")
    except KeyError:
        start_response("503 Replaced", [("X-Second", "2")], sys.exc_info())
    return [b"replaced"]


@page
def too_late(environ, start_response):
    """With exc_info and something sent: it is raised again."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"out"
    error = KeyError("too late")
    try:
        raise error
    except KeyError:
        try:
            start_response("503 Late", [], sys.exc_info())
        except KeyError as again:
            note(environ, f"raised again: {again is error}")
            raise
    note(environ, "not raised")
    yield b"more"


@page
def lazy(environ, start_response):
    """A generator: nothing runs before its first next()."""
    start_response("200 OK", [("X-Lazy", "yes")])
    yield b"la"
    yield b"zy"


class Lazy:
    """A class as the application, as PEP 3333 shows it."""

    def __init__(self, environ, start_response):
        self.start = start_response

    def __iter__(self):
        self.start("200 OK", [("X-Lazy", "yes")])
        yield b"lazy"


page(Lazy)


@page
def never(environ, start_response):
    """No start_response: with a body, with one from a generator, with none."""
    return {"list": [b"x"], "generator": (b for b in [b"x"]), "nothing": [], "empty": [b""]}[environ["QUERY_STRING"]]


@page
def open_head(environ, start_response):
    """Empty pieces send no head, so it can still be replaced."""
    start_response("200 OK", [("X-First", "1")])
    yield b""
    yield b""
    note(environ, "empty pieces")
    wait(environ["QUERY_STRING"])
    try:
        raise KeyError("on purpose")
    except KeyError:
        start_response("502 Replaced", [("X-Second", "2")], sys.exc_info())
    yield b""
    yield b"body"


@page
def head(environ, start_response):
    """A status and headers as they are asked for: JSON in the query."""
    status, headers = json.loads(unquote_to_bytes(environ["QUERY_STRING"]))
    start_response(status, [tuple(h) if isinstance(h, list) else h for h in headers])
    return [b"body"]


@page
def tells(environ, start_response):
    """What start_response raises at nonsense that JSON cannot say."""
    seen = []
    for arguments in [("200 OK", (("A", "b"),)), ("200 OK", None), (b"200 OK", []), (200, []), ("200 OK", [["A", "b"]]),
                      ("200 OK", [(b"A", "b")]), ("200 OK", [("A", 1)]), ("200 OK", [("A", b"b")]), ("200 OK", [("A",)]),
                      ("200 OK", [], "no tuple"), (), ("200 OK",)]:
        try:
            start_response(*arguments)
            seen.append("nothing")
        except (TypeError, ValueError, AssertionError) as error:
            seen.append(type(error).__name__)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join(seen).encode()]
