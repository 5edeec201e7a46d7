"""WSGI applications that do next to nothing: what is measured is the server."""

import time

HELLO = b"Hello, world!\n"
TEN_KB = b"0123456789abcde\n" * 640
PIECE = b"0123456789abcde\n" * 256  # 4 KiB
PIECES = 25  # 100 KiB
WAIT = 0.010  # seconds that a database takes
LONG_WAIT = 0.200


def headers(body):
    return [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]


HELLO_HEADERS = headers(HELLO)
TEN_KB_HEADERS = headers(TEN_KB)


def hello(environ, start_response):
    start_response("200 OK", list(HELLO_HEADERS))
    return [HELLO]


def refuse(start_response, why):
    start_response("400 Bad Request", headers(why))
    return [why]


def headed(environ, start_response):
    """Says hello to a browser with its two cookies, and to no one else."""
    if "; " not in environ.get("HTTP_COOKIE", "") or "HTTP_SEC_FETCH_MODE" not in environ:
        return refuse(start_response, b"the browser's headers did not arrive\n")
    start_response("200 OK", list(HELLO_HEADERS))
    return [HELLO]


def ten_kb(environ, start_response):
    start_response("200 OK", list(TEN_KB_HEADERS))
    return [TEN_KB]


def posted(environ, start_response):
    """Reads the body that came."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    if len(body) != 1024:
        return refuse(start_response, b"the body is not whole\n")
    start_response("200 OK", list(HELLO_HEADERS))
    return [HELLO]


def generated(environ, start_response):
    """Yields what it makes, as streamed answers of frameworks do: without a length."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(PIECES):
        yield PIECE


def mixed(environ, start_response):
    """Says hello, and takes long for it on one path."""
    if environ["PATH_INFO"] == "/sleep":
        time.sleep(LONG_WAIT)
    start_response("200 OK", list(HELLO_HEADERS))
    return [HELLO]


def waiting(environ, start_response):
    """Says hello after its database has answered."""
    time.sleep(WAIT)
    start_response("200 OK", list(HELLO_HEADERS))
    return [HELLO]
