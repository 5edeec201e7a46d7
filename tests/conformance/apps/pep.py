"""Pages for what PEP 3333 says beside the table, and what applications do all the same."""

import io
import logging
import sys
import traceback
from wsgiref.util import request_uri

from common import answer, note, page, wait

KEPT = []


class Indexed:
    """The old protocol of sequences: no __iter__."""

    def __getitem__(self, at):
        return [b"he", b"", b"llo"][at]


class Lying:
    """A length of one, and three pieces."""

    def __len__(self):
        return 1

    def __iter__(self):
        return iter([b"he", b"l", b"lo"])


class Another:
    """Its iterator is another object, with a close of its own that is nobody's business."""

    def __init__(self, environ):
        self.environ = environ

    def __iter__(self):
        body = Noting([b"hel", b"lo"])
        body.environ, body.text = self.environ, "wrong one"
        return iter(body)

    def close(self):
        note(self.environ, "closed")


class Noting(list):
    """A list that must be closed."""

    text = "closed"

    def close(self):
        note(self.environ, self.text)


class Unready:
    """It cannot even begin."""

    def __init__(self, environ):
        self.environ = environ

    def __iter__(self):
        raise ValueError("no iterator")

    def close(self):
        note(self.environ, "closed")


@page
def iterables(environ, start_response):
    start_response("200 OK", [])
    kind = environ["QUERY_STRING"].partition("&")[0]
    if kind == "derived":
        body = Noting([b"hello"])
        body.environ = environ
        return body
    return {"indexed": Indexed, "lying": Lying, "another": lambda: Another(environ), "unready": lambda: Unready(environ),
            "text": lambda: {"hello": 1}, "map": lambda: map(bytes, [b"hel", b"lo"])}[kind]()


@page
def generator(environ, start_response):
    """Its finally clause runs when the client leaves, too."""
    start_response("200 OK", [])
    try:
        while True:
            yield bytes(65536)
    finally:
        note(environ, "finally")


@page
def url(environ, start_response):
    return answer(start_response, request_uri(environ))


@page
def keeps(environ, start_response):
    """Its objects outlive it."""
    write = start_response("200 OK", [])
    KEPT[:] = [lambda: start_response("200 OK", []), lambda: write(b"foreign"), environ["wsgi.input"].read,
               lambda: next(environ["wsgi.input"])]
    return [b"kept"]


@page
def uses(environ, start_response):
    """What is kept belongs to no other request."""
    seen = []
    for call in KEPT:
        try:
            call()
            seen.append("nothing")
        except ValueError as error:
            seen.append(str(error))
    return answer(start_response, "\n".join(seen))


class Text(str):
    pass


class Data(bytes):
    pass


class Headers(list):
    pass


@page
def derived(environ, start_response):
    """Subclasses of the types that are asked for are of these types."""
    start_response(Text("201 Derived"), Headers([(Text("X-Text"), Text("text"))]))
    return [Data(b"da"), Data(b"ta")]


@page
def first_exc_info(environ, start_response):
    """With exc_info although it is the first call; with None as if it were not given."""
    try:
        raise KeyError("early")
    except KeyError:
        start_response("503 First", [("X-First", "1")], sys.exc_info())
    try:
        start_response("200 OK", [], None)
    except AssertionError:
        note(environ, "AssertionError")
    return [b"first"]


@page
def exc_info_after_write(environ, start_response):
    write = start_response("200 OK", [])
    write(b"out")
    try:
        raise KeyError("late")
    except KeyError:
        start_response("500 Late", [], sys.exc_info())
    return []


@page
def own(environ, start_response):
    """Headers that the server would add."""
    start_response("200 OK", [("date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("SERVER", "own"), ("x-MiXed", "Case")])
    return [b"own"]


@page
def one_line(environ, start_response):
    """It reads a line of its body before the answer begins, one after that, and not the rest."""
    first = environ["wsgi.input"].readline()
    start_response("200 OK", [])
    yield first
    yield environ["wsgi.input"].readline()


@page
def streams(environ, start_response):
    """Everywhere an application can write."""
    name = environ["QUERY_STRING"]
    print(name, "printed", flush=True)
    print(name, "to stderr", file=sys.stderr)
    handler = logging.StreamHandler(environ["wsgi.errors"])
    logger = logging.Logger("own")
    logger.addHandler(handler)
    logger.warning("%s by logging", name)
    try:
        raise KeyError(name)
    except KeyError:
        traceback.print_exc(file=environ["wsgi.errors"])
    return answer(start_response, "told")


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("on purpose")

    __repr__ = __str__


@page
def unspeakable(environ, start_response):
    raise Unspeakable


@page
def close_raises(environ, start_response):
    name, how = environ["QUERY_STRING"].split("&")
    kinds = {"error": ValueError, "exit": SystemExit, "interrupt": KeyboardInterrupt}
    body = Noting([b"wh", b"ole"])

    def close():
        raise kinds[how](name)

    body.close = close
    start_response("200 OK", [])
    return body


@page
def wrapped(environ, start_response):
    """wsgi.file_wrapper behind write(), in a middleware, never returned, and of a file that is read already."""
    wrapper, how = environ["wsgi.file_wrapper"], environ["QUERY_STRING"]
    content = io.BytesIO(b"0123456789" * 20000)
    file = __import__("tempfile").TemporaryFile()
    file.write(content.getvalue())
    file.seek(0)
    write = start_response("200 OK", [])
    if how == "written":
        write(b"before:")
        return wrapper(file)
    if how == "middleware":
        return (block.replace(b"0", b"x") for block in wrapper(file, 1000))
    if how == "instead":
        wrapper(file)
        return [b"instead"]
    if how == "begun":
        body = wrapper(file, 1000)
        next(iter(body))
        return body
    if how == "is a type":
        return [str(isinstance(wrapper(file), wrapper)).encode()]
    return wrapper(filelike=content, blksize=777)


@page
def large(environ, start_response):
    """Many headers, one long one, and a long body in one piece."""
    headers = [(f"X-{i}", str(i)) for i in range(900)] + [("X-Long", "l" * 60000)]
    start_response("200 OK", headers)
    return [b"0123456789abcdef" * (1 << 19)]


@page
def unending(environ, start_response):
    """It waits for its gate with nothing sent."""
    wait(environ["QUERY_STRING"])
    return answer(start_response, "waited")
