"""A front for asgi.py: WebSockets, each on a stream, beside the loop in the same thread."""
import asyncio
import ctypes
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FINISHED, ABORTED = 0, 1
BODY_END, CLOSED = 1, 2
HEAD, BODY, ACCEPT, TEXT, BINARY, CLOSE, MORE = 1, 2, 5, 6, 7, 8, 0x100
WEBSOCKET = 16
PIPE, STREAMS = 4096, 128

library = ctypes.PyDLL(sys.argv[1])
library.test_open.restype = ctypes.c_char_p
library.test_open.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.py_object]
library.test_bell.restype = ctypes.py_object
library.test_begin.argtypes = [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32]
library.test_begin.restype = None
library.test_write.argtypes = library.test_read.argtypes = [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]
library.test_write.restype = library.test_read.restype = ctypes.c_size_t
library.test_set.argtypes = [ctypes.c_uint32, ctypes.c_uint32]
library.test_set.restype = None
library.test_outcome.argtypes = library.test_waits.argtypes = [ctypes.c_uint32]


def source(name):
    with open(os.path.join(HERE, "..", "..", "python", name), "rb") as file:
        return file.read()


def start(application):
    """Make the loop for an application; the loop."""
    wrong = library.test_open(source("_gobridge.py"), source("_gobridge_asgi.py"), application)
    assert wrong is None, wrong
    loop = sys.modules["_gobridge_asgi"].runner.loop
    loop.add_reader(library.test_doorbell(), library.test_bell())
    return loop


def variable(name, value):
    return struct.pack("<HHI", len(name), 0, len(value)) + name + value


SCOPE = {"method": b"GET", "root": b"", "path": "/a/\u00e4".encode(), "raw_path": b"/a/%C3%A4", "query": b"q=1", "version": b"1.1",
         "scheme": b"http", "client": b"192.0.2.1", "client_port": b"4000", "server": b"localhost", "server_port": b"80", "request_id": b""}


def head(fields=(), flags=WEBSOCKET, **scope):
    values = {**SCOPE, **scope}
    text = b"".join(variable(b"", value) for value in values.values()) + b"".join(variable(*field) for field in fields)
    return struct.pack("<IHHQ", 16 + len(text), len(values) + len(fields), flags, 0) + text


async def until(condition):
    """Wait for what comes in a few turns of the loop, or never."""
    for _ in range(100000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it has not come")


class Socket:
    """A client's end: what the front reads of a stream, and writes."""

    streams = 0

    def __init__(self, fields=(), **scope):
        Socket.streams = self.stream = (Socket.streams + 1) % STREAMS
        self.came, self.records = b"", []
        request = head(fields, **scope)
        library.test_begin(self.stream, request, len(request), BODY_END)

    def put(self, data):
        return library.test_write(self.stream, data, len(data))

    def message(self, data, more=False):
        kind = TEXT if isinstance(data, str) else BINARY
        self.record(kind | (MORE if more else 0), data.encode() if kind == TEXT else data)

    def record(self, kind, data):
        data = struct.pack("<II", kind, len(data)) + data
        assert self.put(data) == len(data)

    def close(self, code, reason="", leaves=True):
        self.record(CLOSE, struct.pack("<H", code) + reason.encode())
        if leaves:
            self.leave()

    def leave(self):
        library.test_set(self.stream, CLOSED)

    def take(self):
        """Take what there is; the records that are whole."""
        room = ctypes.create_string_buffer(PIPE)
        n = PIPE
        while n > 0:
            n = library.test_read(self.stream, room, PIPE)
            self.came += room.raw[:n]
        while len(self.came) >= 8:
            kind, size = struct.unpack_from("<II", self.came)
            if len(self.came) < 8 + size:
                break
            self.records.append((kind, self.came[8:8 + size]))
            self.came = self.came[8 + size:]
        return self.records

    def forget(self):
        """Take what there is and throw it away."""
        self.take()
        self.records, self.came = [], b""

    async def next(self):
        """The next record, with what is in it."""
        await until(self.take)
        kind, data = self.records.pop(0)
        if kind in (HEAD, ACCEPT):
            return (kind, *response(data))
        if kind == CLOSE:
            return kind, struct.unpack_from("<H", data)[0], data[2:].decode()
        return kind, data.decode() if kind == TEXT else data

    async def done(self):
        """How the run has ended; nothing is left to be read."""
        await until(self.over)
        assert self.take() == [] and self.came == b"", (self.records, self.came)
        return library.test_outcome(self.stream)

    def over(self):
        return library.test_outcome(self.stream) >= 0

    def waits(self):
        return bool(library.test_waits(self.stream))


def response(data):
    """Status and header lines of a head."""
    status, count, _, _, reason, lines = struct.unpack_from("<HHIQII", data)
    text = data[24 + 8 * count + reason:]
    assert len(text) == lines
    return status, text.decode("latin-1").split("\r\n")[:-1]
