"""What is the same in the applications of the comparison.

Each has these pages, whatever the path stands below:

    any other    the method, and what came as a body
    /form        the form's fields and files
    /unread      an answer without a look at the body
    /early       an answer that begins before the body is read
    /size?N      N bytes, with a length
    /stream?N    N pieces of 10000 bytes, without one
    /short, /long    an answer shorter, or longer, than its length says
    /status?N    an answer with that status
    /redirect, /cookies, /own    header fields of an answer
    /head?N      a header field of N bytes
    /packed      a body that is compressed already
    /file        a file
    /fails, /fails-late    an exception before an answer, and amid one
    /endless     bytes until the client has gone

Each request has a name in X-Case. What the application is given with it, and how reading and
sending ended, goes into the file NOTES, a line of JSON each.
"""

import gzip
import hashlib
import json
import os

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]
PACKED = gzip.compress(b"packed " * 100, mtime=0)
OWN = [("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Server", "own"), ("Via", "1.1 own"), ("X-Two", "a"), ("X-Two", "b"), ("Cache-Control", "no-store")]
PIECE = 10000


def note(case, **what):
    """Append a line, with one write: several processes do."""
    line = json.dumps({"case": case, **what}) + "\n"
    with open(os.environ["NOTES"], "ab", buffering=0) as notes:
        notes.write(line.encode())


def shown(value):
    """A text that says what a value is; of an object only that it is one."""
    if isinstance(value, dict):
        return {key: shown(each) for key, each in value.items()}
    if value is None or isinstance(value, (str, bytes, int, tuple, list)):
        return repr(value)
    return "an object"


def told(method, body):
    return f"{method} {len(body)} {hashlib.sha256(body).hexdigest()[:16]}\n"


def form(fields, files):
    return json.dumps([sorted(fields), sorted((name, each_name, kind, len(content)) for name, each_name, kind, content in files)])


def reading(case, read):
    """Read with read, and note what goes wrong."""
    try:
        return read()
    except Exception as error:
        note(case, read=type(error).__name__)
        raise


def early(case, read):
    yield b"x" * PIECE
    yield told("early", reading(case, read)).encode()


def stream(count):
    for i in range(count):
        yield bytes([ord("a") + i % 26]) * PIECE


def late():
    yield b"x" * PIECE
    raise RuntimeError("fails late")


def endless(case):
    """Until it is closed."""
    try:
        while True:
            yield b"x" * PIECE
    except GeneratorExit:
        note(case, ended="closed")
        raise
    except BaseException as error:
        note(case, ended=type(error).__name__)
        raise


class WSGI:
    """A WSGI application that notes each environ before the framework has it."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        note(environ.get("HTTP_X_CASE"), given={name: shown(value) for name, value in environ.items()})
        return self.application(environ, start_response)


class ASGI:
    """An ASGI application that notes each scope of HTTP."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            case = dict(scope["headers"]).get(b"x-case", b"").decode()
            given = {name: shown(value) for name, value in scope.items() if name != "headers"}
            fields = {}
            for name, value in scope["headers"]:
                fields.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
            note(case, given=given, fields={name: repr(values) for name, values in fields.items()})
        await self.application(scope, receive, send)
