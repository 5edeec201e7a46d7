"""Everything that PEP 3333 lets an application do, watched by wsgiref.validate.

The validator raises AssertionError for whatever a server does wrong, and writes a
complaint when an iterable is not closed.
"""

import hashlib
import sys
import urllib.parse
from wsgiref.validate import validator

from common import notes_of

TEXT = [("Content-Type", "text/plain")]


class Closed:
    """An iterable that notes its close."""

    def __init__(self, name, pieces):
        self.name, self.pieces = name, pieces

    def __iter__(self):
        return iter(self.pieces)

    def close(self):
        notes_of("validated").append(self.name)


def hello(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"hello"]


def nothing(environ, start_response):
    start_response("204 No Content", [])
    return []


def readers(environ, start_response):
    """Read the body in every way there is; each must see what the one before left."""
    stream, seen = environ["wsgi.input"], []
    seen.append(stream.read(5))
    seen.append(stream.readline())
    seen.append(stream.readline(3))
    seen.extend(stream.readlines(4))
    for line in stream:
        seen.append(line)
        break
    seen.append(stream.read(1 << 20))
    seen.append(stream.read(10))
    start_response("200 OK", TEXT)
    return [repr(seen).encode("latin-1")]


def upload(environ, start_response):
    digest, size = hashlib.sha256(), 0
    while True:
        piece = environ["wsgi.input"].read(65536)
        if not piece:
            break
        digest.update(piece)
        size += len(piece)
    start_response("200 OK", TEXT)
    return [f"{size} {digest.hexdigest()}".encode()]


def writes(environ, start_response):
    """The old way: the callable that start_response returns, and an iterable after it."""
    write = start_response("200 OK", TEXT)
    write(b"one ")
    write(b"two ")
    return [b"three"]


def late(environ, start_response):
    """start_response is called when the first piece is asked for."""

    def pieces():
        start_response("200 OK", TEXT)
        yield b""
        yield b"late"

    return Closed("late", pieces())


def changed(environ, start_response):
    """An error before anything was sent replaces the status and the fields."""
    start_response("200 OK", [("Content-Type", "text/html"), ("X-First", "yes")])
    try:
        raise ValueError("on purpose")
    except ValueError:
        start_response("500 Oh No", TEXT, sys.exc_info())
    return Closed("changed", [b"changed"])


def big(environ, start_response):
    size = int(urllib.parse.parse_qs(environ["QUERY_STRING"])["size"][0])
    start_response("200 OK", TEXT + [("Content-Length", str(size))])
    piece = b"0123456789abcdef" * 4096
    return Closed("big", (piece[: min(len(piece), size - at)] for at in range(0, size, len(piece))))


def errors(environ, start_response):
    environ["wsgi.errors"].write("written to wsgi.errors: Grüße\n")
    environ["wsgi.errors"].writelines(["one line\n", "another line\n"])
    environ["wsgi.errors"].flush()
    start_response("200 OK", TEXT)
    return [b"told"]


def path(environ, start_response):
    start_response("200 OK", TEXT)
    return [environ["PATH_INFO"].encode("latin-1") + b" " + environ["QUERY_STRING"].encode("latin-1")]


PAGES = {f.__name__: f for f in (hello, nothing, readers, upload, writes, late, changed, big, errors)}


def inner(environ, start_response):
    return PAGES.get(environ["PATH_INFO"].strip("/"), path)(environ, start_response)


application = validator(inner)
