"""Pages about wsgi.file_wrapper. Each note is a close."""

import io
import os
import tempfile

from common import note, page

SIZE = 600000
CONTENT = bytes(i * 31 % 251 for i in range(SIZE))


def plain(content=CONTENT):
    """A temporary file with a name that is deleted already."""
    file = tempfile.NamedTemporaryFile(delete=False)
    file.write(content)
    file.seek(0)
    os.unlink(file.name)
    return file


def at(position):
    file = plain()
    file.seek(position)
    return file


def read_some(size):
    file = plain()
    file.read(size)  # its buffer is further on than its position
    return file


def unlinked():
    file = tempfile.TemporaryFile()
    file.write(CONTENT)
    file.flush()
    file.seek(0)
    return file


def text():
    file = plain()
    return io.TextIOWrapper(file.file, encoding="latin-1")


class Reader:
    """Nothing but read()."""

    def __init__(self):
        self.file = io.BytesIO(CONTENT)

    def read(self, size):
        return self.file.read(size)


class Noting:
    """A file that notes its close, and passes everything else on."""

    def __init__(self, environ, file):
        self.environ, self.file, self.read = environ, file, file.read

    def close(self):
        note(self.environ, "closed")
        self.file.close()


KINDS = {
    "whole": lambda: (plain(), []),
    "position": lambda: (at(1000), []),
    "buffered": lambda: (read_some(1000), []),
    "length": lambda: (plain(), [("Content-Length", "200000")]),
    "range": lambda: (at(1000), [("Content-Length", "200000"), ("Content-Range", f"bytes 1000-200999/{SIZE}")]),
    "small": lambda: (plain(CONTENT[:100]), []),
    "end": lambda: (at(SIZE), []),
    "unlinked": lambda: (unlinked(), []),
    "short": lambda: (plain(), [("Content-Length", str(SIZE + 1))]),
    "bytesio": lambda: (io.BytesIO(CONTENT), []),
    "text": lambda: (text(), []),
}


@page
def file(environ, start_response):
    kind = environ["QUERY_STRING"].partition("&")[0]
    wrapper = environ["wsgi.file_wrapper"]
    if kind == "reader":  # it has no close
        start_response("200 OK", [])
        return wrapper(Reader(), 1000)
    opened, headers = KINDS[kind]()
    start_response("206 Partial Content" if kind == "range" else "200 OK", headers)
    return wrapper(Noting(environ, opened), 8192)
