"""Files that wsgi.file_wrapper is given, for wsgi.py: which go out by their descriptor, from
where to where, and which are read.
"""
import bz2
import gc
import gzip
import io
import os
import tempfile

from wsgi_cases import BIG
from wsgi_front import ABORTED, UNKNOWN, ask, check, library

SIZE = len(BIG)
LEAST = 4096  # the pipe of the tests


class Wrapped:
    """An application that returns a file in wsgi.file_wrapper, and counts its close()."""

    def __init__(self, file, headers=(), status="200 OK", first=None, wrap=lambda wrapper: wrapper):
        self.file, self.headers, self.status, self.first, self.wrap = file, headers, status, first, wrap
        self.closed = 0

    def __call__(self, environ, start_response):
        write = start_response(self.status, list(self.headers))
        if self.first is not None:
            write(self.first)
        wrapper = environ["wsgi.file_wrapper"](self.file)
        wrapper.close = self.close
        return self.wrap(wrapper)

    def close(self):
        self.closed += 1
        self.file.close()


def named(content=BIG):
    file = tempfile.NamedTemporaryFile()
    file.write(content)
    file.seek(0)
    return file


def plain(position=0, content=BIG, buffering=-1):
    """A file without a name, opened as applications do it, read up to a position."""
    with named(content) as file:
        opened = open(file.name, "rb", buffering)
    opened.read(position)
    return opened


def unflushed():
    """A file whose last bytes are not written yet."""
    file = tempfile.TemporaryFile()
    file.write(BIG)
    file.seek(SIZE - LEAST)
    file.read(LEAST)
    file.write(b"more!")
    file.seek(SIZE - LEAST)
    return file


class Proxy:
    """A file as frameworks wrap it: what it has is another's."""

    def __init__(self, file):
        self.file = file

    read = property(lambda self: self.file.read)
    fileno = property(lambda self: self.file.fileno)

    def close(self):
        self.file.close()


def said(length):
    return [("Content-Length", str(length))]


def files():
    cases = [
        ("whole", plain(), {}, {}, dict(body=BIG, length=SIZE)),
        ("from its position", plain(1000), {}, {}, dict(body=BIG[1000:], length=SIZE - 1000)),
        ("unbuffered", plain(1000, buffering=0), {}, {}, dict(body=BIG[1000:], length=SIZE - 1000)),
        ("the least", plain(SIZE - LEAST), {}, {}, dict(body=BIG[-LEAST:], length=LEAST)),
        ("NamedTemporaryFile", named(), {}, {}, dict(body=BIG, length=SIZE)),
        ("TemporaryFile, just written", unflushed(), {}, {}, dict(body=BIG[-LEAST:] + b"more!", length=LEAST + 5)),
        ("a framework's", Proxy(plain(5)), {}, {}, dict(body=BIG[5:], length=SIZE - 5)),
        ("a range", plain(1000), dict(headers=said(20000), status="206 Partial Content"), {},
         dict(status=206, body=BIG[1000:21000], length=20000)),
        ("its very length", plain(), dict(headers=said(SIZE)), {}, dict(body=BIG, length=SIZE)),
        ("announced too long", plain(), dict(headers=said(SIZE + 1)), {},
         dict(body=BIG, length=SIZE + 1, outcome=ABORTED, errors="Content-Length")),
        ("behind write()", plain(), dict(first=b"abc"), {}, dict(body=b"abc" + BIG, length=UNKNOWN)),
        ("behind write(), announced", plain(), dict(first=b"abc", headers=said(20003)), {},
         dict(body=b"abc" + BIG[:20000], length=20003)),
        ("taken slowly", plain(), {}, dict(piece=512), dict(body=BIG)),
        ("HEAD", plain(10), {}, dict(method="HEAD"), dict(body=b"", length=SIZE - 10, files=0)),
        ("HEAD, announced", plain(10), dict(headers=said(20000)), dict(method="HEAD"), dict(body=b"", length=20000, files=0)),
        ("304", plain(), dict(status="304 Not Modified"), {}, dict(body=b"", length=UNKNOWN, files=0)),
    ]
    for name, file, application, how, want in cases:
        app = Wrapped(file, **application)
        want.setdefault("files", 1)
        check(name, ask(app, **how), want)
        assert app.closed == 1, (name, app.closed)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        check("again", ask(Wrapped(plain())), dict(body=BIG, files=1))
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
    return len(cases)


# ---- What looks like such a file, and is none.

class Backwards:
    """A middleware."""

    def __init__(self, wrapper):
        self.wrapper, self.close = wrapper, wrapper.close

    def __iter__(self):
        return (block[::-1] for block in self.wrapper)


class Upper(io.BufferedReader):
    def read(self, *size):
        return super().read(*size).upper()


class Broken(io.BytesIO):
    def fileno(self):
        raise ValueError("no descriptor")


def upper():
    with named() as file:
        return Upper(io.FileIO(file.name))


def spooled():
    file = tempfile.SpooledTemporaryFile()
    file.write(BIG)
    file.seek(0)
    return file


def through_pipe():
    ours, theirs = os.pipe()
    os.write(theirs, BIG[:20000])
    os.close(theirs)
    return open(ours, "rb")


NOISE = os.urandom(100000)


def compressed(module):
    with named(module.compress(NOISE)) as file:
        return module.open(file.name)


def behind_its_end():
    file = plain()
    file.seek(SIZE + 5)
    return file


def closed():
    file = plain()
    file.close()
    return file


def derived(wrapper):
    again = type("Derived", (type(wrapper),), {})(wrapper.filelike)
    again.close = wrapper.close
    return again


def files_that_are_read():
    kept = spooled()
    cases = [
        ("less than the least", plain(SIZE - LEAST + 1), {}, dict(body=BIG[1 - LEAST:])),
        ("at its end", plain(SIZE), {}, dict(body=b"", length=0)),
        ("behind its end", behind_its_end(), {}, dict(body=b"", length=0)),
        ("empty", plain(content=b""), {}, dict(body=b"", length=0)),
        ("a short range", plain(), dict(headers=said(100)), dict(body=BIG[:100], errors="longer")),
        ("BytesIO", io.BytesIO(BIG), {}, dict(body=BIG)),
        ("no descriptor", Broken(BIG), {}, dict(body=BIG)),
        ("a pipe", through_pipe(), {}, dict(body=BIG[:20000])),
        ("SpooledTemporaryFile", kept, {}, dict(body=BIG)),
        ("GzipFile", compressed(gzip), {}, dict(body=NOISE)),
        ("BZ2File", compressed(bz2), {}, dict(body=NOISE)),
        ("a read() of its own", upper(), {}, dict(body=BIG.upper())),
        ("a middleware", plain(), dict(wrap=Backwards),
         dict(body=b"".join(BIG[i:i + 65536][::-1] for i in range(0, SIZE, 65536)))),
        ("derived", plain(), dict(wrap=derived), dict(body=BIG)),
        ("text", open(__file__, encoding="utf-8"), {}, dict(status=500, errors="bytes")),
        ("closed", closed(), {}, dict(status=500, errors="closed")),
        ("only for writing", open(os.devnull, "wb"), {}, dict(status=500, errors="read")),
    ]
    for name, file, application, want in cases:
        if file is kept:
            file.close, close = lambda: None, file.close
        app = Wrapped(file, **application)
        check(name, ask(app, piece=4096), dict(files=0, **want))
        assert app.closed == 1, (name, app.closed)
    assert not kept._rolled  # to ask for its descriptor would have written it to a disk
    close()
    library.test_control(0)
    check("no front", ask(Wrapped(plain()), piece=4096), dict(body=BIG, files=0))
    library.test_control(1)
    app = Wrapped(plain())
    check("client gone", ask(app, leave_after=0), dict(outcome=ABORTED, files=0))
    assert app.closed == 1
    return len(cases)
