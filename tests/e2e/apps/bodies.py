"""Request bodies read in every way; nothing else."""

import hashlib
import os


def pieces(stream, way):
    """The body as it is read: in pieces, by lines, or at once."""
    if way == "lines":
        yield from stream
    elif way == "all":
        yield stream.read()
    else:
        while piece := stream.read(30000):
            yield piece


def application(environ, start_response):
    path = environ["PATH_INFO"].strip("/")
    if path in ("pid", "unread"):
        text = f"{os.getpid()}"
    else:
        digest, size = hashlib.sha256(), 0
        for piece in pieces(environ["wsgi.input"], path):
            digest.update(piece)
            size += len(piece)
        announced = environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")
        text = f"{size} {digest.hexdigest()} {announced[0]} {announced[1]} {environ['wsgi.input_terminated']}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
