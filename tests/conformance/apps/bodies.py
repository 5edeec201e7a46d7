"""Pages about what an application returns."""

import itertools

from common import note, page, wait

BLOCK = b"0123456789abcdef" * 4096


class Closing:
    """Pieces, and a note of each close. A piece can be what to raise."""

    def __init__(self, environ, pieces):
        self.environ, self.pieces = environ, pieces

    def __iter__(self):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self):
        note(self.environ, "closed")


@page
def closes(environ, start_response):
    how = environ["QUERY_STRING"].partition("&")[0]
    status, headers, pieces = {
        "normal": ("200 OK", [], [b"a", b"b"]),
        "empty": ("200 OK", [], []),
        "head": ("200 OK", [], [b"a", b"b"]),
        "nothing": ("204 No Content", [], [b"a"]),
        "first": ("200 OK", [], [ValueError("on purpose")]),
        "later": ("200 OK", [], [b"a", ValueError("on purpose")]),
        "text": ("200 OK", [], ["text"]),
        "unstarted": (None, [], [b"a"]),
        "long": ("200 OK", [("Content-Length", "3")], itertools.repeat(b"ab")),
        "short": ("200 OK", [("Content-Length", "3")], [b"ab"]),
        "gone": ("200 OK", [], itertools.repeat(BLOCK)),
    }[how]
    if status:
        start_response(status, headers)
    return Closing(environ, pieces)


@page
def close_fails(environ, start_response):
    start_response("200 OK", [])
    body = Closing(environ, [b"whole"])
    body.close = lambda: 1 // 0
    return body


@page
def stepped(environ, start_response):
    """A piece, and the next one when someone has seen it."""
    start_response("200 OK", [])
    yield b"one"
    wait(environ["QUERY_STRING"] + "1")
    yield b"two"
    wait(environ["QUERY_STRING"] + "2")
    yield b"three"


@page
def returns(environ, start_response):
    """Bodies whose length is known or not."""
    start_response("200 OK", [])
    return {
        "list": [b"hello"], "tuple": (b"hello",), "nothing": [], "empty": [b""], "many": [b"he", b"llo"],
        "generator": (b for b in [b"hello"]), "iterator": iter([b"hello"]), "set": {b"hello"},
    }[environ["QUERY_STRING"]]


@page
def lengths(environ, start_response):
    """A Content-Length that the pieces do not keep."""
    said, *pieces = environ["QUERY_STRING"].split("&")[0].split(",")
    start_response("200 OK", [("Content-Length", said)])
    return (p.encode() for p in pieces)


@page
def status(environ, start_response):
    """A status with a body, a length, and one more header."""
    code, length = environ["QUERY_STRING"].split(",")
    headers = [("X-Kept", "yes")]
    if length:
        headers.append(("Content-Length", length))
    start_response(f"{code} Status", headers)
    return [b"a body"]


@page
def hints(environ, start_response):
    """103 before the answer, twice; the second one after start_response."""
    early = environ["wsgi.early_hints"]
    early([("Link", "</style.css>; rel=preload; as=style"), ("Link", "</app.js>; rel=preload; as=script")])
    start_response("200 OK", [("Link", "</style.css>; rel=preload; as=style")])
    early([("Link", "</late.css>; rel=preload; as=style")])
    yield b"hinted"
    early([("Link", "</too-late.css>; rel=preload; as=style")])  # nobody sees it


@page
def hints_first(environ, start_response):
    """The client has them while the application computes."""
    environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload; as=style")])
    wait(environ["QUERY_STRING"])
    start_response("200 OK", [])
    return [b"computed"]


@page
def hints_refused(environ, start_response):
    """What cannot be sent is refused, with nothing on the wire."""
    seen = []
    for headers in [[("Link", "</a>\r\nSet-Cookie: a=b")], [("Bad Name", "x")], [("Content-Length", "5")], [("A", "\u20ac")],
                    [("A", 1)], "Link", None, [("A",)], [["A", "b"]]]:
        try:
            environ["wsgi.early_hints"](headers)
            seen.append("nothing")
        except (TypeError, ValueError) as error:
            seen.append(type(error).__name__)
    start_response("200 OK", [])
    return [" ".join(seen).encode()]
