"""Applications, and the table of what their responses must be."""
import sys

from wsgi_front import ABORTED, CLOSE, DATE, HTTP10, SERVER, UNKNOWN

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


LINKS = [("Link", "</a.css>; rel=preload"), ("link", "</\xe4.js>")]


def hinting(environ, start_response):
    """Early hints: before and after start_response, and too late."""
    hint = environ["wsgi.early_hints"]
    hint(LINKS)
    hint([])
    start_response("200 OK", [])
    hint(headers=iter(LINKS[:1]))
    yield b"x"
    hint(LINKS)


def hinting_nonsense(environ, start_response):
    seen = []
    for headers in ([("A", "b\r\nC: d")], [("A B", "c")], [("Content-Length", "1")], [("A", "\u20ac")], [("A", 1)], [("A",)], ["AB"], "AB", None, 5,
                    (1 // 0 for _ in "x")):
        try:
            environ["wsgi.early_hints"](headers)
            seen.append("nothing")
        except Exception as error:
            seen.append(type(error).__name__)
    environ["wsgi.early_hints"]([("Connection", "close")])  # the server's business
    start_response("200 OK", [])
    return [" ".join(seen).encode()]


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
     dict(headers=[("A", "b"), ("Content-Length", "5")], flags=CLOSE, errors="transfer-encoding is the server's business")),
    ("and are told of once", simple(headers=[("TRANSFER-ENCODING", "x")]), {}, dict(headers=[("Content-Length", "5")], flags=0)),
    ("another is told of", simple(headers=[("Connection", "upgrade, \tCLOSE ,"), ("Upgrade", "x")]), {},
     dict(headers=[("Content-Length", "5")], flags=CLOSE, errors="upgrade is the server's business")),
    ("what else a connection is to be", simple(headers=[("Connection", "closed, not close")]), {},
     dict(headers=[("Content-Length", "5")], flags=0, errors="connection is the server's business")),
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
    # early hints
    ("early hints", hinting, {}, dict(hints=[LINKS, LINKS[:1]], status=200, body=b"x")),
    ("early hints for HTTP/1.0", hinting, dict(flags=HTTP10), dict(hints=[], status=200, body=b"x")),
    ("early hints of nonsense", hinting_nonsense, {},
     dict(hints=[], body=b"ValueError ValueError ValueError ValueError TypeError TypeError TypeError TypeError TypeError TypeError "
                         b"ZeroDivisionError")),
    ("many early hints", lambda environ, start: [environ["wsgi.early_hints"](LINKS * 100) for _ in range(30)] and simple()(environ, start),
     dict(piece=4096), dict(hints=[LINKS * 100] * 30, body=b"hello")),
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
    ("a number", returning(5), {}, dict(status=500, errors="TypeError: 'int' object is not iterable")),
    ("an application", returning(print), {}, dict(status=500, errors="name with its call what makes it, like create_app()")),
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
