"""WSGI applications against the records that they must make (PEP 3333).

usage: python wsgi.py LIBRARY [TEST...]     (wsgi.sh builds it and calls this for each Python)

It runs in the Python under test, 3.9 or later, and uses nothing but its standard library.
"""
import ctypes
import gc
import io
import itertools
import os
import signal
import struct
import sys
import tempfile
import threading
import time
import wsgiref.validate

HERE = os.path.dirname(os.path.abspath(__file__))
UNKNOWN = 2 ** 64 - 1
FINISHED, ABORTED = 0, 1
HEAD, HTTP10, EXPECT = 1, 2, 4
DATE, SERVER = 1, 2
STAYS = 2 ** 63

LIBRARY = sys.argv[1]
CHOSEN = sys.argv[2:]
library = ctypes.PyDLL(LIBRARY)
library.test_open.restype = ctypes.c_char_p
library.test_leave.restype = None
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
        self.blocks = []
        while data:
            kind, size = struct.unpack_from("<II", data)
            payload, data = data[8:8 + size], data[8 + size:]
            if kind == 1:
                assert self.status == 0, "a second head"
                self.head(payload)
            else:
                assert kind == 2 and self.status and size > 0, (kind, size)
                self.blocks.append(payload)
        self.body = b"".join(self.blocks)

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
        self.saved = os.dup(2)
        os.dup2(self.file.fileno(), 2)
        return self

    def __exit__(self, *_):
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


def ask(app, method="GET", path="/", body=b"", length=None, headers=(), flags=0, piece=0, end=True, leave_after=STAYS):
    """Runs one request. piece: bytes of it that the client gives at a time, while it takes
    the response; 0: all is there before, and the response is taken afterwards."""
    global current
    current = app
    data = request(method, path, body, len(body) if length is None else length, dict(headers), flags)
    out, size = ctypes.POINTER(ctypes.c_char)(), ctypes.c_size_t()
    with Captured() as captured:
        outcome = library.test_run(data, len(data), piece, end, leave_after, ctypes.byref(out), ctypes.byref(size))
    return Answer(outcome, out[:size.value] if size.value else b"", captured.text)


# ---- Applications.

def simple(status="200 OK", headers=(), body=(b"hello",)):
    def app(environ, start_response):
        start_response(status, list(headers))
        return list(body)
    return app


def reader(read, headers=()):
    """Answers with repr(read(wsgi.input))."""
    def app(environ, start_response):
        start_response("200 OK", [])
        return [repr(read(environ["wsgi.input"])).encode()]
    return app


def generator(*blocks, status="200 OK", headers=()):
    def app(environ, start_response):
        start_response(status, list(headers))
        for block in blocks:
            if isinstance(block, BaseException):
                raise block
            yield block
    return app


def returning(value):
    def app(environ, start_response):
        start_response("200 OK", [])
        return value
    return app


def raising(exception):
    def app(environ, start_response):
        raise exception
    return app


def starting(*arguments, **keywords):
    """Calls start_response with exactly these arguments."""
    def app(environ, start_response):
        start_response(*arguments, **keywords)
        return [b"x"]
    return app


def lazy(environ, start_response):
    start_response("201 Created", [("X-Late", "yes")])
    yield b"late"


def late_and_empty(environ, start_response):
    yield b""
    start_response("202 Accepted", [])
    yield b""


def writer(environ, start_response):
    write = start_response("200 OK", [])
    write(b"one ")
    write(b"two ")
    return [b"three"]


def twice(environ, start_response):
    start_response("200 OK", [])
    start_response("201 Created", [])
    return [b"x"]


def replaced(environ, start_response):
    start_response("200 OK", [("X-First", "1"), ("Content-Length", "7")])
    try:
        raise KeyError("early")
    except KeyError:
        start_response("503 Busy", [("X-Second", "2")], exc_info=sys.exc_info())
    return [b"sorry"]


def replaced_positional(environ, start_response):
    start_response("200 OK", [])
    try:
        raise KeyError("early")
    except KeyError:
        start_response("503 Busy", [], sys.exc_info())
    return [b"sorry"]


def too_late(environ, start_response):
    start_response("200 OK", [])
    yield b"out"
    try:
        raise KeyError("too late")
    except KeyError:
        start_response("500 Oops", [], sys.exc_info())
    yield b"never"


def too_late_with(*exc_info):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"out"
        start_response("500 Oops", [], exc_info)
    return app


def swallowed(environ, start_response):
    try:
        start_response("200 OK", [("Bad\r\n", "x")])
    except ValueError:
        pass
    return [b"x"]


def exits(environ, start_response):
    sys.exit("done")


class Closing:
    """An iterable that counts its close()."""

    def __init__(self, blocks, start=None, close_raises=None, headers=()):
        self.blocks, self.closed, self.close_raises, self.start = blocks, 0, close_raises, start
        self.headers = list(headers)

    def __call__(self, environ, start_response):
        if self.start is None:
            start_response("200 OK", self.headers)
        return self

    def __iter__(self):
        for block in self.blocks:
            if isinstance(block, BaseException):
                raise block
            yield block() if callable(block) else block

    def close(self):
        self.closed += 1
        if self.close_raises is not None:
            raise self.close_raises


BIG = bytes(range(256)) * 1000
LINES = b"first\nsecond line\n\nlast without end"

# name, application, what ask() takes, what the answer must be; "errors" is text that
# standard error must have, nothing must be there otherwise.
CASES = [
    ("one block", simple(), {}, dict(status=200, reason="OK", body=b"hello", length=5, headers=[("Content-Length", "5")])),
    ("one block in a tuple", returning((b"abc",)), {}, dict(length=3, body=b"abc")),
    ("its own length", simple(headers=[("content-length", "5")]), {}, dict(headers=[("content-length", "5")], length=5)),
    ("two blocks", simple(body=[b"a", b"b"]), {}, dict(length=UNKNOWN, blocks=[b"a", b"b"], headers=[])),
    ("no block", simple(body=[]), {}, dict(length=0, body=b"", headers=[("Content-Length", "0")])),
    ("empty blocks", generator(b"", b""), {}, dict(length=0, body=b"", status=200)),
    ("one empty block", simple(body=[b""]), {}, dict(length=0, body=b"", headers=[("Content-Length", "0")])),
    ("generator", generator(b"a", b"", b"b"), {}, dict(blocks=[b"a", b"b"], length=UNKNOWN)),
    ("lazy start_response", lazy, {}, dict(status=201, reason="Created", headers=[("X-Late", "yes")], body=b"late")),
    ("start_response after an empty block", late_and_empty, {}, dict(status=202, length=0)),
    ("write", writer, {}, dict(blocks=[b"one ", b"two ", b"three"], length=UNKNOWN)),
    ("headers keep order and doubles", simple(headers=[("Set-Cookie", "a"), ("X", "\xe4"), ("Set-Cookie", "b")]), {},
     dict(headers=[("Set-Cookie", "a"), ("X", "\xe4"), ("Set-Cookie", "b"), ("Content-Length", "5")])),
    ("Date and Server", simple(headers=[("date", "x"), ("SERVER", "y")]), {}, dict(flags=DATE | SERVER)),
    ("other status", simple("404 Nicht gefunden \xe4"), {}, dict(status=404, reason="Nicht gefunden \xe4")),
    ("empty reason", simple("404 "), {}, dict(status=404, reason="")),
    ("hop-by-hop headers go", simple(headers=[("Connection", "close"), ("Transfer-Encoding", "chunked"), ("A", "b")]), {},
     dict(headers=[("A", "b"), ("Content-Length", "5")], errors="Transfer-Encoding")),
    # HEAD, 204, 304
    ("HEAD", simple(), dict(method="HEAD"), dict(body=b"", length=5, headers=[("Content-Length", "5")])),
    ("HEAD with its own length", simple(headers=[("Content-Length", "9")]), dict(method="HEAD"), dict(body=b"", length=9)),
    ("HEAD of a generator", generator(b"a", b"b"), dict(method="HEAD"), dict(body=b"", length=UNKNOWN)),
    ("HEAD without a body", simple(body=[]), dict(method="HEAD"), dict(body=b"", length=UNKNOWN, headers=[])),
    ("HEAD of one empty block", simple(body=[b""]), dict(method="HEAD"), dict(body=b"", length=UNKNOWN, headers=[])),
    ("HEAD with write", writer, dict(method="HEAD"), dict(body=b"", length=UNKNOWN)),
    ("204", simple("204 No Content"), {}, dict(status=204, body=b"", headers=[])),
    ("304", simple("304 Not Modified", [("ETag", "x")]), {}, dict(status=304, body=b"", headers=[("ETag", "x")])),
    ("304 with the length of what it has not", simple("304 Not Modified", [("Content-Length", "77")], []), {},
     dict(status=304, body=b"", length=77)),
    # lengths that are not kept
    ("longer than announced", simple(headers=[("Content-Length", "3")]), {}, dict(body=b"hel", length=3, errors="longer")),
    ("longer, in blocks", generator(b"ab", b"cd", b"ef", headers=[("Content-Length", "3")]), {},
     dict(blocks=[b"ab", b"c"], errors="longer")),
    ("shorter than announced", generator(b"ab", headers=[("Content-Length", "3")]), {},
     dict(outcome=ABORTED, body=b"ab", errors="Content-Length")),
    ("nothing of what was announced", generator(headers=[("Content-Length", "3")]), {},
     dict(outcome=ABORTED, errors="Content-Length")),
    # big ones
    ("big body", simple(body=[BIG]), dict(piece=4096), dict(body=BIG, length=len(BIG))),
    ("big blocks", simple(body=[BIG, b"x", BIG]), dict(piece=4096), dict(blocks=[BIG, b"x", BIG])),
    ("many headers", simple(headers=[("X-%d" % i, "v" * 100) for i in range(1000)]), dict(piece=4096),
     dict(body=b"hello", headers=[("X-%d" % i, "v" * 100) for i in range(1000)] + [("Content-Length", "5")])),
    # exc_info
    ("exc_info before the head", replaced, {}, dict(status=503, reason="Busy", headers=[("X-Second", "2"), ("Content-Length", "5")],
                                                    body=b"sorry")),
    ("exc_info by position", replaced_positional, {}, dict(status=503, body=b"sorry")),
    ("exc_info after the head", too_late, {}, dict(outcome=ABORTED, status=200, body=b"out", errors="KeyError: 'too late'")),
    ("exc_info of nonsense", too_late_with(1, 2, 3), {}, dict(outcome=ABORTED, body=b"out", errors="exc_info must be")),
    ("exc_info too short", too_late_with(KeyError), {}, dict(outcome=ABORTED, body=b"out", errors="IndexError")),
    ("exc_info without traceback", too_late_with(KeyError, KeyError("bare"), None), {},
     dict(outcome=ABORTED, body=b"out", errors="KeyError: 'bare'")),
    ("exc_info None", starting("200 OK", [], None), {}, dict(status=200, body=b"x")),
    # applications at fault
    ("start_response twice", twice, {}, dict(status=500, errors="AssertionError")),
    ("no start_response", lambda environ, start_response: [b"x"], {}, dict(status=500, errors="start_response")),
    ("no start_response in a generator", lambda environ, start_response: (b for b in [b"x"]), {},
     dict(status=500, errors="start_response")),
    ("no start_response, no body", lambda environ, start_response: [], {}, dict(status=500, errors="start_response")),
    ("exception", raising(ZeroDivisionError("oh")), {},
     dict(status=500, body=b"Internal Server Error\n", headers=[("Content-Type", "text/plain; charset=utf-8"),
                                                               ("Content-Length", "22")], errors="ZeroDivisionError: oh")),
    ("exception at HEAD", raising(ZeroDivisionError("oh")), dict(method="HEAD"), dict(status=500, body=b"", errors="oh")),
    ("exception names the request", raising(ValueError("oh")), dict(method="POST", path="/a/b"), dict(status=500, errors="POST /a/b")),
    ("a target that would forge lines", raising(ValueError("oh")), dict(path="/\x1b[1m\n\xe4"),
     dict(status=500, errors="GET /\\x1b[1m\\x0a\\xe4: the application failed")),
    ("exception before the first block", generator(ValueError("oh")), {}, dict(status=500, errors="ValueError: oh")),
    ("exception after an empty block", generator(b"", ValueError("oh")), {}, dict(status=500, errors="ValueError: oh")),
    ("exception after a block", generator(b"a", ValueError("oh")), {},
     dict(outcome=ABORTED, status=200, body=b"a", errors="ValueError: oh")),
    ("SystemExit", exits, {}, dict(status=500, errors="SystemExit: done")),
    ("KeyboardInterrupt", raising(KeyboardInterrupt()), {}, dict(status=500, errors="KeyboardInterrupt")),
    ("GeneratorExit", raising(GeneratorExit()), {}, dict(status=500, errors="GeneratorExit")),
    ("SystemExit after a block", generator(b"a", SystemExit(3)), {}, dict(outcome=ABORTED, body=b"a", errors="SystemExit: 3")),
    ("ConnectionError of its own", raising(ConnectionResetError("database")), {}, dict(status=500, errors="database")),
    ("None", returning(None), {}, dict(status=500, errors="must return an iterable of bytes, like [b\"hello\"], not None")),
    ("a number", returning(5), {}, dict(status=500, errors="TypeError")),
    ("a str block", returning(["text"]), {}, dict(status=500, errors="must be bytes, not")),
    ("a str block in a generator", generator("text"), {}, dict(status=500, errors="must be bytes, not")),
    ("a str block later", generator(b"a", "text"), {}, dict(outcome=ABORTED, body=b"a", errors="must be bytes, not")),
    ("bytes instead of a list", returning(b"text"), {}, dict(status=500, errors="must return an iterable of bytes")),
    ("str instead of a list", returning("text"), {}, dict(status=500, errors="must return an iterable of bytes")),
    ("refused headers, swallowed", swallowed, {}, dict(status=500, errors="start_response")),
] + [
    ("status %r" % (status,), starting(status, []), {}, dict(status=500, errors="status"))
    for status in ("200", "OK", "20 OK", "2000 OK", "100 Continue", "101 Switching", "+20 OK", "200\tOK", "200 O\r\nK",
                   "200 O\0K", "200 \u20ac", b"200 OK", 200, "", None, "099 x")
] + [
    ("headers %r" % (headers,), starting("200 OK", headers), {}, dict(status=500, errors="Error"))
    for headers in ((("A", "b"),), None, [["A", "b"]], [("A",)], [("A", "b", "c")], [("A", 1)], [(b"A", "b")], [("A", b"b")],
                    [("A\r\nB", "c")], [("A", "b\r\nC: d")], [("A", "b\nC")], [("A", "b\0")], [("", "b")], [("A B", "c")],
                    [("A:", "c")], [("\xe4", "c")], [("A", "\u20ac")], [("A", "\ud800")], [("A", "b\x7f")], ["AB"], [None],
                    [("Content-Length", "x")], [("Content-Length", "-1")], [("Content-Length", "")],
                    [("Content-Length", "1"), ("Content-Length", "2")], [("Content-Length", "9" * 30)],
                    [("Content-Length", "+1")])
] + [
    # wsgi.input
    ("read %s" % text, reader(read), dict(body=LINES, method="POST", piece=piece), dict(body=repr(want).encode()))
    for piece in (0, 1, 7)
    for text, read, want in [
        ("()", lambda i: i.read(), LINES),
        ("(-1)", lambda i: i.read(-1), LINES),
        ("(None)", lambda i: i.read(None), LINES),
        ("(0)", lambda i: i.read(0), b""),
        ("(4)", lambda i: i.read(4), LINES[:4]),
        ("beyond", lambda i: i.read(10 ** 12), LINES),
        ("at the end", lambda i: (i.read(), i.read(), i.read(5), i.readline(), i.readlines(), list(i)),
         (LINES, b"", b"", b"", [], [])),
        ("line", lambda i: i.readline(), b"first\n"),
        ("line(3)", lambda i: (i.readline(3), i.readline(-1)), (b"fir", b"st\n")),
        ("line(0)", lambda i: i.readline(0), b""),
        ("line(None)", lambda i: i.readline(None), b"first\n"),
        ("line(6)", lambda i: i.readline(6), b"first\n"),
        ("lines", lambda i: i.readlines(), LINES.splitlines(True)),
        ("lines(None)", lambda i: i.readlines(None), LINES.splitlines(True)),
        ("lines(7)", lambda i: (i.readlines(7), i.read()), (LINES.splitlines(True)[:2], LINES[18:])),
        ("iteration", list, LINES.splitlines(True)),
        ("mixed", lambda i: (i.readline(), i.read(3), next(i), i.readline(2), i.read()),
         (b"first\n", b"sec", b"ond line\n", b"\n", b"last without end")),
    ]
] + [
    ("chunked body", reader(lambda i: (i.read(3), i.readline(), i.read())), dict(body=LINES, length=UNKNOWN, piece=piece, method="POST"),
     dict(body=repr((LINES[:3], b"st\n", LINES[6:])).encode()))
    for piece in (0, 1, 7)
] + [
    ("big upload", lambda environ, start: simple(body=[str(sum(map(len, iter(lambda: environ["wsgi.input"].read(5000), b"")))).encode()])(
        environ, start), dict(body=BIG, piece=3000, method="POST"), dict(body=b"256000")),
    ("big read", lambda environ, start: simple(body=[str(environ["wsgi.input"].read() == BIG).encode()])(
        environ, start), dict(body=BIG, piece=3000, method="POST"), dict(body=b"True")),
    ("long line", lambda environ, start: simple(body=[str(len(environ["wsgi.input"].readline())).encode()])(
        environ, start), dict(body=b"x" * 100000 + b"\ny", piece=4096, method="POST"), dict(body=b"100001")),
    ("a wrong size", reader(lambda i: i.read("5")), dict(body=LINES, method="POST"), dict(status=500, errors="TypeError")),
    ("too many sizes", reader(lambda i: i.read(5, 6)), dict(body=LINES, method="POST"), dict(status=500, errors="TypeError")),
    ("no body", reader(lambda i: (i.read(), i.readline(), list(i))), {}, dict(body=b"(b'', b'', [])")),
    ("the body ends early", reader(lambda i: i.read()), dict(body=b"abc", length=9, piece=2, method="POST"), dict(outcome=ABORTED)),
]


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


def table():
    for name, app, how, want in CASES:
        try:
            check(name, ask(app, **how), want)
        except BaseException:
            print("in case %r" % name, file=sys.stderr)
            raise
    return len(CASES)


# ---- What a table cannot say.

def environ_is_right():
    seen = []

    def app(environ, start_response):
        seen.append(environ)
        environ["mine"] = 1
        return simple()(environ, start_response)
    latin = "\xc3\xa4"
    os.environ["GOBRIDGE_TEST_SECRET"] = "x"
    for _ in range(2):
        check("environ", ask(app, path="/" + latin, headers={"HTTP_X": latin}), {})
    first, second = seen
    assert type(first) is dict and first is not second
    for environ in seen:
        want = {"PATH_INFO": "/" + latin, "HTTP_X": latin, "SCRIPT_NAME": "", "QUERY_STRING": "", "wsgi.version": (1, 0),
                "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False, "wsgi.input_terminated": True,
                "wsgi.url_scheme": "http"}
        for key, value in want.items():
            assert environ[key] == value and type(environ[key]) is type(value), key
        assert "GOBRIDGE_TEST_SECRET" not in environ
        for key, value in environ.items():
            assert type(key) is str and (type(value) is str or key.startswith("wsgi.") or key == "mine"), key
    assert first["wsgi.input"] is not second["wsgi.input"]
    for call in (lambda i: i.read(), lambda i: i.readline(), lambda i: i.readlines(), next):
        try:
            call(first["wsgi.input"])
        except ValueError:
            continue
        raise AssertionError("wsgi.input works after its request")


def many_names():
    """More header names than are remembered, and one that is too long for that."""
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        return simple()(environ, start_response)
    for i in range(0, 1500, 50):
        check("names", ask(app, headers={"HTTP_N%d" % n: str(n) for n in range(i, i + 50)}), {})
    assert all(seen["HTTP_N%d" % n] == str(n) for n in range(1500))
    check("long name", ask(app, headers={"HTTP_" + "L" * 300: "long"}), {})
    assert seen["HTTP_" + "L" * 300] == "long"


def blocks_are_sent_before_the_next_is_asked_for():
    seen = []

    def app(environ, start_response):
        start_response("200 OK", [])
        seen.append(library.test_written())
        yield b""
        seen.append(library.test_written())
        yield b"abc"
        seen.append(library.test_written())
        yield b"defg"
        seen.append(library.test_written())
    check("order", ask(app), dict(body=b"abcdefg"))
    assert seen[:2] == [0, 0] and seen[2] > 3 and seen[3] == seen[2] + 8 + 4, seen

    def writes(environ, start_response):
        write = start_response("200 OK", [])
        seen[:] = [library.test_written()]
        write(b"abc")
        seen.append(library.test_written())
        return []
    check("write", ask(writes), dict(body=b"abc"))
    assert seen[0] == 0 and seen[1] > 3


def close_is_called_once():
    for name, app, how, want in [
        ("end", Closing([b"a", b"b"]), {}, dict(body=b"ab")),
        ("empty", Closing([]), {}, dict(body=b"")),
        ("HEAD", Closing([b"a", b"b"]), dict(method="HEAD"), {}),
        ("exception", Closing([b"a", ValueError("oh")]), {}, dict(outcome=ABORTED, errors="oh")),
        ("early exception", Closing([ValueError("oh")]), {}, dict(status=500, errors="oh")),
        ("str", Closing([b"a", "x"]), {}, dict(outcome=ABORTED, errors="bytes")),
        ("no start_response", Closing([b"a"], start=False), {}, dict(status=500, errors="start_response")),
        ("too long", Closing([b"a" * 50000] * 5), dict(piece=4096), dict(body=b"a" * 250000)),
        ("client gone", Closing([b"a" * 50000] * 50), dict(piece=4096, leave_after=9000), dict(outcome=ABORTED)),
        ("client gone before", Closing([b"a"] * 50), dict(leave_after=0), dict(outcome=ABORTED)),
        ("client gone between", Closing([b"a", lambda: library.test_leave() or b"b", b"c"]), {}, dict(outcome=ABORTED)),
        ("without end", Closing(itertools.repeat(b"ab"), headers=[("Content-Length", "3")]), {}, dict(body=b"aba", errors="longer")),
        ("close raises", Closing([b"a"], close_raises=ValueError("in close")), {}, dict(body=b"a", errors="in close")),
        ("close raises, no body", Closing([], close_raises=ValueError("in close")), {}, dict(length=0, errors="in close")),
        ("both raise", Closing([b"a", ValueError("oh")], close_raises=ValueError("in close")), {},
         dict(outcome=ABORTED, errors="in close")),
    ]:
        answer = ask(app, **how)
        assert app.closed == 1, (name, app.closed, answer)
        if name.startswith("client gone"):
            assert answer.outcome == ABORTED and answer.errors == "", (name, answer)
        else:
            check("close: " + name, answer, want)


def a_client_that_leaves():
    def app(environ, start_response):
        write = start_response("200 OK", [])
        try:
            for _ in range(100):
                write(b"x" * 10000)
        except OSError as e:
            seen.append(e)
            raise
        return []
    seen = []
    answer = ask(app, piece=4096, leave_after=20000)
    assert answer.outcome == ABORTED and isinstance(seen[0], OSError) and answer.errors == "", answer

    def reads(environ, start_response):
        try:
            environ["wsgi.input"].read()
        except OSError as e:
            seen.append(e)
            raise
    for call in (dict(length=100, body=b"abc", piece=100), dict(length=UNKNOWN, body=b"abc", piece=100)):
        seen.clear()
        timer = threading.Timer(0.05, ctypes.CDLL(LIBRARY).test_leave)
        timer.start()
        answer = ask(reads, end=False, **call)
        timer.join()
        assert answer.outcome == ABORTED and isinstance(seen[0], ConnectionError), answer


def signals_are_handled():
    """While it waits for the body, and for room in the pipe."""
    class Rung(Exception):
        pass

    def ring(number, frame):
        rings.append(number)
        if len(rings) == 3:
            raise Rung
    signal.signal(signal.SIGUSR1, ring)

    def bell():
        while len(rings) < 3:
            time.sleep(0.05)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
    for app, how, want in [
        (reader(lambda i: i.read()), dict(length=10, body=b"abc", piece=100, end=False), dict(status=500, errors="Rung")),
        (simple(body=[BIG]), {}, dict(outcome=ABORTED, errors="Rung")),
        (generator(BIG, BIG), {}, dict(outcome=ABORTED, errors="Rung")),
    ]:
        rings = []
        ringer = threading.Thread(target=bell)
        ringer.start()
        check("signals", ask(app, **how), want)
        ringer.join()
        assert len(rings) >= 3


def other_threads_run_meanwhile():
    """The GIL is free while a request waits."""
    ticks = []

    def tick():
        for _ in range(5):
            ticks.append(1)
            time.sleep(0.01)
        ctypes.CDLL(LIBRARY).test_leave()
    thread = threading.Thread(target=tick)
    thread.start()
    ask(reader(lambda i: i.read()), length=10, body=b"abc", piece=100, end=False)
    thread.join()
    assert len(ticks) == 5


def objects_outlive_their_request():
    kept = []

    def app(environ, start_response):
        write = start_response("200 OK", [])
        kept.extend([start_response, write, environ["wsgi.input"]])
        return [b"x"]
    check("kept", ask(app, body=b"abc", method="POST"), {})

    def other(environ, start_response):
        for call in (lambda: kept[0]("200 OK", []), lambda: kept[1](b"x"), lambda: kept[2].read()):
            try:
                call()
            except ValueError:
                continue
            raise AssertionError("it works after its request")
        return simple()(environ, start_response)
    check("others", ask(other), dict(body=b"hello"))
    for made in kept[0], kept[2]:
        try:
            again = type(made)()
        except TypeError:
            continue
        for name in ("read", "write"):
            if hasattr(again, name):
                try:
                    getattr(again, name)(b"x") if name == "write" else again.read()
                except ValueError:
                    continue
                raise AssertionError("a forged object works")


def a_thread_of_the_application_reads():
    """It still reads when the application has returned: the next request is not its."""
    got = []

    def app(environ, start_response):
        def read():
            try:
                got.append(environ["wsgi.input"].read())
            except (OSError, ValueError, RuntimeError) as e:
                got.append(e)
        thread = threading.Thread(target=read)
        threads.append(thread)
        thread.start()
        time.sleep(0.1)
        return simple()(environ, start_response)
    threads = []
    check("reading thread", ask(app, length=10, body=b"abc", piece=100, end=False), dict(body=b"hello"))
    check("the next", ask(reader(lambda i: i.read()), body=b"0123456789", piece=1), dict(body=repr(b"0123456789").encode()))
    threads[0].join(10)
    assert not threads[0].is_alive() and isinstance(got[0], Exception), got


def nested_calls():
    """A signal handler or a destructor that reads while a read waits must not break anything."""
    def app(environ, start_response):
        def handler(number, frame):
            try:
                environ["wsgi.input"].readline()
            except (RuntimeError, ValueError, OSError) as e:
                seen.append(e)
        signal.signal(signal.SIGUSR1, handler)
        threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1)).start()
        threading.Timer(0.2, ctypes.CDLL(LIBRARY).test_leave).start()
        try:
            environ["wsgi.input"].read()
        except OSError:
            pass
        return simple()(environ, start_response)
    seen = []
    ask(app, length=10, body=b"abc", piece=100, end=False)
    assert len(seen) == 1, seen


def errors_stream():
    def app(environ, start_response):
        errors = environ["wsgi.errors"]
        errors.write("one\n")
        errors.writelines(["two ", "th\xe4ree\n"])
        errors.flush()
        try:
            errors.write(b"bytes")
        except TypeError:
            errors.write("no bytes\n")
        errors.write("tail")
        errors.flush()
        print("printed", file=errors)
        errors.write("\udc80 \u20ac")
        return simple()(environ, start_response)
    check("errors", ask(app), dict(errors="one\ntwo th\xe4ree\nno bytes\ntailprinted\n\\udc80 \u20ac\n"))

    def dots(environ, start_response):
        for _ in range(70000):
            environ["wsgi.errors"].write(".")
        return simple()(environ, start_response)
    check("a long line", ask(dots), dict(errors="." * 70000 + "\n"))

    def threads(environ, start_response):
        def write(name):
            for _ in range(300):
                print(name, "with", "text", file=environ["wsgi.errors"], end="")
                environ["wsgi.errors"].writelines([" and an ", "end\n"])
        writers = [threading.Thread(target=write, args=("%03d" % i,)) for i in range(4)]
        for thread in writers:
            thread.start()
        for _ in range(300):
            print("one", "line", file=environ["wsgi.errors"])
        for thread in writers:
            thread.join()
        return simple()(environ, start_response)
    answer = ask(threads)
    assert answer.errors.count("one line") == 300, answer.errors
    check("writelines of nonsense", ask(lambda e, s: e["wsgi.errors"].writelines(["a\n", 5])), dict(status=500, errors="not 5"))


def file_wrapper():
    class File(io.BytesIO):
        closed_times = 0

        def close(self):
            File.closed_times += 1
            super().close()

    def app(environ, start_response):
        start_response("200 OK", [])
        file = File(BIG)
        file.seek(1000)
        return environ["wsgi.file_wrapper"](file, *sizes)
    for sizes in ((), (4096,)):
        File.closed_times = 0
        check("file_wrapper", ask(app, piece=4096), dict(body=BIG[1000:]))
        assert File.closed_times == 1


def the_validator_is_content():
    def app(environ, start_response):
        body = environ["wsgi.input"].read(100)
        environ["wsgi.errors"].flush()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body) + 1))])
        return [body, b"!"]
    for body, piece in ((b"", 0), (b"abc", 0), (b"abc", 1)):
        check("validator", ask(wsgiref.validate.validator(app), body=body, piece=piece, method="POST" if body else "GET"),
              dict(body=body + b"!"))
    check("validator, generator", ask(wsgiref.validate.validator(
        lambda environ, start: (start("200 OK", [("Content-Type", "text/plain")]), iter([b"a", b"b"]))[1])), dict(body=b"ab"))


def fails_to_load():
    with tempfile.TemporaryDirectory() as directory:
        def put(name, text):
            with open(os.path.join(directory, name), "w") as f:
                f.write(text)
        put("site_a.py", "def create_app(name='x'):\n    return lambda environ, start: [name]\n\nmain = object()\nclass deep:\n    app = create_app()\n")
        put("site_b.py", "import nothing_like_this\n")
        put("site_c.py", "def f(:\n")
        put("site_d.py", "import sys\nsys.exit(4)\n")
        put("site_e.py", "1 / 0\n")
        put("site_g.py", "raise ModuleNotFoundError('gone', name='site_g')\n")
        put("site_h.py", "async def app(scope, receive, send):\n    pass\nclass Site:\n    async def __call__(self, *a):\n"
                         "        pass\ndef make():\n    return lambda environ, start: []\n")
        os.mkdir(os.path.join(directory, "site_pack"))
        put("site_pack/wsgi.py", "application = lambda environ, start: []\n")
        put("site_f.py", "app = create_app = lambda *a: 5\n")
        for spec, texts in [
            ("site_x:app", ["site_x", "Did you mean site_"]), ("site_a:ap", ["site_a", "ap", "create_app"]),
            ("site_a:create_ap", ["create_app"]), ("site_a:main", ["main", "call"]), ("site_a", ["site_a", "app", "create_app"]),
            ("site_b:app", ["nothing_like_this", "site_b.py", "line 1"]), ("site_c:app", ["SyntaxError", "site_c.py"]),
            ("site_d:app", ["exit", "site_d.py"]), ("site_e:app", ["ZeroDivisionError", "site_e.py"]),
            ("site_a.sub:app", ["site_a.sub"]), ("site_f:create_app()", ["create_app()", "call"]),
            ("site_a:create_app(open)", ["literal"]), ("site_a:create_app(1, 2)", ["TypeError"]),
            ("site_a:deep.ap", ["deep", "app"]), ("site_a.py:app", ["not its file: site_a:app"]), ("./sub/site_a.py:app", ["not its file: sub.site_a:app"]),
            ("/srv/site_a.py:app", ["--chdir /srv site_a:app"]), (":app", ["':app'"]), ("", ["names no application"]),
            ("site_a:", ["'site_a:'"]), ("site_a:create_app(**{'name': 1})", ["literal"]), ("site_a:main()", ["main", "call"]),
            ("site_g:app", ["site_g.py", "line 1", "ModuleNotFoundError: gone"]), ("site_h:app", ["app", "ASGI"]),
            ("site_h:Site()", ["Site()", "ASGI"]), ("site_h:make", ["make", "site_h:make()"]),
            ("site_pack.wsgj:app", ["site_pack.wsgj", "Did you mean site_pack.wsgi?"]),
        ]:
            why = load(spec, directory)
            assert why is not None, spec
            for text in texts:
                assert text in why, (spec, text, why)
            assert "_gobridge" not in why and "<gobridge>" not in why and "importlib" not in why, why
        for spec in ("site_a:create_app()", "site_a:create_app('y')", "site_a:create_app(name='y')", "site_a:deep.app", "site_h:make()", "site_pack.wsgi"):
            why = load(spec, directory)
            assert why is None, (spec, why)
        assert load("site_a:app", os.path.join(directory, "nowhere")) is not None
    os.chdir(HERE)


def load(spec, directory):
    with Captured():
        why = library.test_open(None, spec.encode(), directory.encode())
    return None if why is None else why.decode()


def nothing_is_left():
    """References and descriptors are the same after 10,000 requests."""
    def app(environ, start_response):
        environ["wsgi.input"].readline()
        start_response("200 OK", headers)
        return body

    def fails(environ, start_response):
        try:
            start_response("200 OK", [("A", "b\n")])
        finally:
            start_response("200 OK", headers)
    header, body = ("X-One", "\xe4 value that is nobody else's"), [b"a block that is nobody else's"]
    headers = [header]
    data = request("POST", "/", b"line\n", 5, {"HTTP_X": "y"}, 0)
    out, size = ctypes.POINTER(ctypes.c_char)(), ctypes.c_size_t()
    global current
    current = app
    for how in (app, generator(b"a", b"b"), writer, replaced):
        current = how
        for _ in range(100):
            library.test_run(data, len(data), 0, 1, STAYS, ctypes.byref(out), ctypes.byref(size))
        gc.collect()
        before = counts(header, headers, body)
        for _ in range(2500):
            library.test_run(data, len(data), 0, 1, STAYS, ctypes.byref(out), ctypes.byref(size))
        gc.collect()
        after = counts(header, headers, body)
        assert all(b - a <= 5 for a, b in zip(before, after)), (how, before, after)
    for how, kwargs in ((fails, {}), (exits, {}), (too_late, {}), (twice, {}), (returning(None), {}),
                        (simple(headers=[("Connection", "x")]), {})):
        for _ in range(20):
            ask(how, **kwargs)
        gc.collect()
        before = counts(header, headers, body)
        for _ in range(200):
            ask(how, **kwargs)
        gc.collect()
        after = counts(header, headers, body)
        assert all(b - a <= 5 for a, b in zip(before, after)), (how, before, after)


def counts(*objects):
    blocks = sys.getallocatedblocks() if hasattr(sys, "getallocatedblocks") else 0
    return [sys.getrefcount(o) for o in objects + (None, current, application)] + [blocks // 100, len(os.listdir("/proc/self/fd"))]


BROWSER = {
    "HTTP_HOST": "127.0.0.1:8000", "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5", "HTTP_ACCEPT_ENCODING": "gzip, deflate, br", "HTTP_CONNECTION": "keep-alive",
    "HTTP_COOKIE": "sessionid=abcdefghijklmnop; csrftoken=1234567890", "HTTP_UPGRADE_INSECURE_REQUESTS": "1"}


def speed():
    """Microseconds from claim to finish, the application's own included; wsgi.sh --speed."""
    global current
    headers = [("Content-Type", "text/plain"), ("Content-Length", "5")]
    for name, current, variables in [
        ("hello, a bare client", simple(headers=headers), {"HTTP_HOST": "127.0.0.1:8000"}),
        ("hello, a browser", simple(headers=headers), BROWSER),
        ("a generator, a browser", generator(b"hello", headers=headers), BROWSER),
    ]:
        data = request("GET", "/", b"", 0, variables, 0)
        library.test_speed(data, len(data), 2000)
        print("  %-24s %.2f us" % (name, min(library.test_speed(data, len(data), 20000) for _ in range(5))))


TESTS = [table, environ_is_right, many_names, blocks_are_sent_before_the_next_is_asked_for, close_is_called_once,
         a_client_that_leaves, signals_are_handled, other_threads_run_meanwhile, objects_outlive_their_request,
         a_thread_of_the_application_reads, nested_calls, errors_stream, file_wrapper, the_validator_is_content,
         nothing_is_left, fails_to_load]


def main():
    sys.modules["wsgi_cases"] = sys.modules["__main__"]
    sys.stderr.reconfigure(write_through=True, encoding="utf-8")
    with open(os.path.join(HERE, "../../python/_gobridge.py"), "rb") as f:
        why = library.test_open(f.read(), b"wsgi_cases:application", HERE.encode())
    assert why is None, why.decode()
    chosen = [globals()[name] for name in CHOSEN] or TESTS
    for test in chosen:
        result = test()
        print("  ok  %s%s" % (test.__name__.replace("_", " "), "" if result is None else " (%d)" % result), flush=True)
    print("WSGI on Python %s: all ok" % sys.version.split()[0])


if __name__ == "__main__":
    main()
