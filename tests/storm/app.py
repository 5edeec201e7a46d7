"""The application that the storm runs against.

Every answer carries the request's nonce. Every request leaves two lines in a log file:
"B nonce pid" when it is begun, "E nonce pid" when its iterable is closed. Each line is
one write to a file opened for appending, so it is there whole even if the worker is
killed right after it.
"""

import hashlib
import os
import tempfile
import threading
import time
from urllib.parse import parse_qs

LOG = os.open(os.environ["STORM_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def fail_as_told():
    """What the storm wants of this import, if it wants anything."""
    try:
        with open(os.environ["STORM_FAULT"], encoding="ascii") as file:
            fault = file.read()
    except FileNotFoundError:
        return
    if fault == "raise":
        raise RuntimeError("the storm wants this import to fail")
    if fault == "hang":
        time.sleep(600)
    if fault == "die":
        threading.Timer(0.05, os._exit, [9]).start()


fail_as_told()


def note(kind, nonce):
    os.write(LOG, f"{kind} {nonce} {os.getpid()}\n".encode())


def pattern(nonce, size):
    """Bytes that only this nonce's answer has."""
    piece = hashlib.sha256(nonce.encode()).hexdigest().encode()
    return (piece * (size // len(piece) + 1))[:size]


class Answer:
    """An iterable that notes its close."""

    def __init__(self, nonce, pieces):
        self.nonce = nonce
        self.pieces = iter(pieces)

    def __iter__(self):
        return self.pieces

    def close(self):
        note("E", self.nonce)


class NotedFile:
    """A file that notes its close. Its read() is the file's own, so it can be sent as one."""

    def __init__(self, nonce, file):
        self.nonce, self.file, self.read = nonce, file, file.read

    def close(self):
        self.file.close()
        note("E", self.nonce)


def file_of(nonce, size):
    """A temporary file of a pattern, a part of it read already."""
    file = tempfile.TemporaryFile(buffering=0)
    file.write(b"read already" + pattern(nonce, size))
    file.seek(12)
    return NotedFile(nonce, file)


def pieces_of(kind, nonce, size, environ):
    """The body and its length, if that is known beforehand."""
    if kind == "echo":
        return [nonce.encode()], len(nonce)
    if kind == "sleep":
        time.sleep(0.02)
        return [nonce.encode()], len(nonce)
    if kind == "upload":
        digest, left = hashlib.sha256(), 0
        while piece := environ["wsgi.input"].read(10000):
            digest.update(piece)
            left += len(piece)
        return [f"{nonce} {left} {digest.hexdigest()}".encode()], None
    if kind == "download":
        body = pattern(nonce, size)
        return (body[i : i + 50000] for i in range(0, size, 50000)), size
    if kind == "stream":
        return slowly(pattern(nonce, size)), None
    raise ValueError(kind)


def slowly(body):
    for i in range(0, len(body), 4096):
        if i % 16384 == 0:
            time.sleep(0.002)
        yield body[i : i + 4096]


def application(environ, start_response):
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    nonce, kind = query["nonce"], environ["PATH_INFO"].strip("/")
    note("B", nonce)
    if kind == "file":
        start_response("200 OK", [("X-Nonce", nonce)])
        return environ["wsgi.file_wrapper"](file_of(nonce, int(query["size"])))
    pieces, length = pieces_of(kind, nonce, int(query.get("size", 0)), environ)
    headers = [("Content-Type", "application/octet-stream"), ("X-Nonce", nonce)]
    if length is not None:
        headers.append(("Content-Length", str(length)))
    start_response("200 OK", headers)
    return Answer(nonce, pieces)
