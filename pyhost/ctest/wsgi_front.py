"""One WSGI request through the C host, for wsgi.py: what the front would put into the
request pipe, and what came out of the response pipe.
"""
import ctypes
import os
import struct
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
UNKNOWN = 2 ** 64 - 1
FINISHED, ABORTED = 0, 1
HEAD, HTTP10, EXPECT, SPOOLED = 1, 2, 4, 8
DATE, SERVER, CLOSE = 1, 2, 4
STAYS = 2 ** 63

LIBRARY = sys.argv[1]
library = ctypes.PyDLL(LIBRARY)
without_gil = ctypes.CDLL(LIBRARY)  # for threads that play the client
library.test_open.restype = ctypes.c_char_p
without_gil.test_leave.restype = library.test_leave.restype = None
library.test_run.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_size_t,
                             ctypes.POINTER(ctypes.POINTER(ctypes.c_char)), ctypes.POINTER(ctypes.c_size_t)]
library.test_speed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
library.test_speed.restype = ctypes.c_double


# ---- One request.

class Answer:
    """What came out of the response pipe, and what was written to standard error."""

    def __init__(self, outcome, data, errors):
        self.outcome, self.errors = outcome, errors
        self.status, self.reason, self.headers, self.flags, self.length = 0, "", [], 0, UNKNOWN
        self.blocks, self.files, self.hints = [], 0, []
        while data:
            kind, size = struct.unpack_from("<II", data)
            payload, data = data[8:8 + size], data[8 + size:]
            if kind == 1:
                assert self.status == 0, "a second head"
                self.head(payload)
            elif kind == 4:
                assert self.status == 0, "hints behind the head"
                self.hints.append(self.lines_of_hints(payload))
            elif kind == 3:
                assert self.status and self.files == 0
                self.files = 1
                self.blocks.append(bytes_of_file(*struct.unpack("<QQ", payload)))
            else:
                assert kind == 2 and self.status and size > 0, (kind, size)
                self.blocks.append(payload)
        assert library.test_file() == -1, "a descriptor that no record names"
        self.body = b"".join(self.blocks)

    def lines_of_hints(self, payload):
        self.head(payload)
        assert (self.status, self.reason, self.flags, self.length) == (103, "", 0, UNKNOWN)
        lines, self.headers, self.status = self.headers, [], 0
        return lines

    def head(self, payload):
        self.status, count, self.flags, self.length, reason, lines = struct.unpack_from("<HHIQII", payload)
        table, rest = payload[24:24 + 8 * count], payload[24 + 8 * count:]
        self.reason, rest = rest[:reason].decode("latin-1"), rest[reason:]
        assert len(rest) == lines
        for i in range(count):
            start, size = struct.unpack_from("<II", table, 8 * i)
            line = rest[start:rest.index(b"\r\n", start)]
            assert line[size:size + 2] == b": "
            self.headers.append((line[:size].decode(), line[size + 2:].decode("latin-1")))

    def __repr__(self):
        return "outcome %d, %d %s %r, length %d, %r, stderr:\n%s" % (
            self.outcome, self.status, self.reason, self.headers, self.length, self.body[:300], self.errors)


def bytes_of_file(offset, length):
    """What the front sends: so many bytes of the descriptor that came before the record."""
    fd = library.test_file()
    assert fd >= 0, "there is no descriptor for the record"
    position = os.lseek(fd, 0, os.SEEK_CUR)
    data = os.pread(fd, length, offset)
    assert os.lseek(fd, 0, os.SEEK_CUR) == position
    os.close(fd)
    return data


def request(method, path, body, length, headers, flags):
    variables = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "REQUEST_URI": path,
                 "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
                 "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http"}
    if length != UNKNOWN and length > 0:
        variables["CONTENT_LENGTH"] = str(length)
    variables.update(headers)
    packed = b"".join(
        struct.pack("<HHI", len(k), 0, len(v)) + k.encode("latin-1") + v.encode("latin-1") for k, v in variables.items())
    flags |= HEAD if method == "HEAD" else 0
    return struct.pack("<IHHQ", 16 + len(packed), len(variables), flags, length) + packed + body


class Captured:
    """Standard error, Python's and C's."""

    def __enter__(self):
        self.file = tempfile.TemporaryFile()
        sys.stderr.flush()
        self.stream = sys.stderr
        self.saved = os.dup(2)
        os.dup2(self.file.fileno(), 2)
        return self

    def __exit__(self, *_):
        sys.stderr = self.stream  # an application may have changed it
        sys.stderr.flush()
        os.dup2(self.saved, 2)
        os.close(self.saved)
        self.file.seek(0)
        self.text = self.file.read().decode()
        self.file.close()


current = None


def application(environ, start_response):
    """What the host has loaded: it passes each request on to the application under test."""
    return current(environ, start_response)


def use(app):
    """Makes app the application under test."""
    global current
    current = app


def ask(app, method="GET", path="/", body=b"", length=None, headers=(), flags=0, piece=0, end=True, leave_after=STAYS):
    """Runs one request. piece: bytes of it that the client gives at a time, while it takes
    the response; 0: all is there before, and the response is taken afterwards."""
    use(app)
    if flags & SPOOLED:
        length, body, piece = len(body), in_file(body), piece or 4096
    data = request(method, path, body, len(body) if length is None else length, dict(headers), flags)
    out, size = ctypes.POINTER(ctypes.c_char)(), ctypes.c_size_t()
    with Captured() as captured:
        outcome = library.test_run(data, len(data), piece, end, leave_after, ctypes.byref(out), ctypes.byref(size))
    return Answer(outcome, out[:size.value] if size.value else b"", captured.text)


def in_file(body):
    """Gives the next request its body in a file; nothing of it goes through the pipe."""
    file = tempfile.TemporaryFile(buffering=0)
    file.write(body)
    library.test_body(os.dup(file.fileno()))
    return b""


def check(name, answer, want):
    want = dict({"outcome": FINISHED}, **want)
    errors = want.pop("errors", None)
    for key, value in want.items():
        if getattr(answer, key) != value:
            raise AssertionError("%s: %s is %.300r, not %.300r\n%r" % (name, key, getattr(answer, key), value, answer))
    if errors is None and answer.errors or errors is not None and errors not in answer.errors:
        raise AssertionError("%s: standard error has not %r:\n%r" % (name, errors, answer))
    if "SystemError" in answer.errors:
        raise AssertionError("%s: %r" % (name, answer))
