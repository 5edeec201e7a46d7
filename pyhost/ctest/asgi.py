"""The ASGI interface's WebSockets in the C host, driven without Go: interfaces.sh runs it in a Python.

usage: python asgi.py LIBRARY
"""
import asyncio
import os
import sys
import tempfile

from asgi_front import ABORTED, ACCEPT, BINARY, BODY, CLOSE, FINISHED, HEAD, MORE, PIPE, TEXT, Socket, start, until

CASES = []
PAGES = {}  # applications
TOLD = []  # what they have seen


def case(function):
    CASES.append(function)
    return function


def page(function):
    PAGES["/" + function.__name__] = function
    return function


async def application(scope, receive, send):
    await PAGES[scope["path"]](scope, receive, send)


def socket_of(of, **scope):
    return Socket(path=b"/" + of.__name__.encode(), **scope)


async def opened(of, **scope):
    """A socket whose handshake was accepted."""
    TOLD.clear()
    s = socket_of(of, **scope)
    assert await s.next() == (ACCEPT, 101, [])
    return s


async def tried(send, message):
    try:
        await send(message)
    except Exception as error:  # pylint: disable=broad-except
        return type(error).__name__
    return "sent"


def running():
    """How many requests' tasks there are: all but the case's own."""
    return len(asyncio.all_tasks()) - 1


CONNECT = {"type": "websocket.connect"}
A, C = {"type": "websocket.accept"}, {"type": "websocket.close"}


def text(data):
    return {"type": "websocket.receive", "text": data}


def binary(data):
    return {"type": "websocket.receive", "bytes": data}


def disconnect(code, reason=""):
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


# ---- What it receives.


@page
async def echo(scope, receive, send):
    """It tells its scope and all that it receives, and sends messages back as they are."""
    TOLD.append(scope)
    TOLD.append(await receive())
    await send(A)
    while True:
        message = await receive()
        TOLD.append(message)
        if message["type"] == "websocket.disconnect":
            TOLD.append(await receive())
            TOLD.append(await tried(send, {"type": "websocket.send", "text": "late"}))
            return
        await send(dict(message, type="websocket.send"))


@case
async def scope_is_a_websockets():
    fields = [(b"host", b"x"), (b"sec-websocket-protocol", b" a, b"), (b"sec-websocket-protocol", b"c ,,d\xe4")]
    s = await opened(echo, fields=fields, scheme=b"https", root=b"/root")
    scope = TOLD[0]
    assert scope == {
        "type": "websocket", "asgi": {"version": "3.0", "spec_version": "2.5"}, "http_version": "1.1", "scheme": "wss",
        "path": "/echo", "raw_path": b"/a/%C3%A4", "query_string": b"q=1", "root_path": "/root", "headers": fields,
        "client": ("192.0.2.1", 4000), "server": ("localhost", 80), "subprotocols": ["a", "b", "c", "d\xe4"], "state": {},
        "extensions": {"websocket.http.response": {}},
    }, scope
    s.leave()
    await s.done()
    s = await opened(echo)
    assert TOLD[0]["scheme"] == "ws" and TOLD[0]["subprotocols"] == []
    s.leave()
    await s.done()


@case
async def messages_come_and_go():
    s = await opened(echo)
    for message in ("hello", b"bytes", "", b"", "\u00e4\u20ac\U0001f600", b"\x00\xff", "x" * 1000):
        s.message(message)
        assert await s.next() == (TEXT if isinstance(message, str) else BINARY, message)
    s.message("bra", more=True)
    s.message("ck", more=True)
    s.message("et")
    assert await s.next() == (TEXT, "bracket")
    s.record(TEXT | MORE, b"\xe2\x82")  # cut within a character
    s.record(TEXT, b"\xac")
    assert await s.next() == (TEXT, "\u20ac")
    s.close(3001, "gr\u00fcn")
    assert await s.done() == FINISHED
    await until(lambda: len(TOLD) == 14)
    assert TOLD[1] == CONNECT and TOLD[2:6] == [text("hello"), binary(b"bytes"), text(""), binary(b"")]
    assert TOLD[9:11] == [text("bracket"), text("\u20ac")]
    assert TOLD[11] == TOLD[12] == disconnect(3001, "gr\u00fcn") and TOLD[13] == "ConnectionResetError"


@case
async def messages_longer_than_the_pipe():
    s = await opened(echo)
    for data in (os.urandom(5 * PIPE + 3), "\u00e4" * 10 * PIPE, "x" * PIPE, b"y" * 300000):
        kind = TEXT if isinstance(data, str) else BINARY
        raw = data.encode() if kind == TEXT else data
        left = [bytes([kind, 0, 0, 0]) + len(raw).to_bytes(4, "little") + raw]

        def feed(left=left):
            left[0] = left[0][s.put(left[0]):]
            return s.take()
        await until(feed)
        assert left == [b""] and await s.next() == (kind, data)
    s.close(1000)
    assert await s.done() == FINISHED


@case
async def ends_are_told():
    for end, code, reason in ((lambda s: s.close(1001, "away"), 1001, "away"), (lambda s: s.close(1005), 1005, ""),
                              (lambda s: s.leave(), 1006, ""), (lambda s: s.close(1012, leaves=False), 1012, ""),
                              (lambda s: s.record(TEXT | MORE, b"x") or s.close(1009), 1009, ""),
                              (lambda s: s.record(99, b""), 1006, "")):
        s = await opened(echo)
        await until(s.waits)
        end(s)
        await until(lambda: len(TOLD) == 5)
        assert TOLD[2] == TOLD[3] == disconnect(code, reason) and TOLD[4] == "ConnectionResetError", TOLD
        await s.done()


@page
async def late(scope, receive, send):
    """It is slow to ask."""
    while TOLD != ["go"]:
        await asyncio.sleep(0)
    for _ in range(4):
        TOLD.append(await receive())


@case
async def connect_comes_first():
    s = socket_of(late)
    s.message("early")
    s.close(1001)
    TOLD[:] = ["go"]
    await s.done()
    await until(lambda: not running())
    assert TOLD[1:] == [CONNECT, text("early"), disconnect(1001), disconnect(1001)]


@page
async def several(scope, receive, send):
    """Several receives wait; one of them is given up."""
    await receive()
    await send(A)
    tasks = [asyncio.ensure_future(receive()) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    TOLD.append("waiting")
    for task in (tasks[0], tasks[2]):
        TOLD.append(await task)
    try:
        await asyncio.wait_for(receive(), 0.01)
    except asyncio.TimeoutError:
        TOLD.append("nothing")
    TOLD.extend(await asyncio.gather(*(receive() for _ in range(3))))


@case
async def several_receives_wait():
    s = await opened(several)
    await until(lambda: TOLD)
    s.message("a", more=True)
    for _ in range(10):
        await asyncio.sleep(0)
    s.message("1")
    s.message("2")
    while "nothing" not in TOLD:
        await asyncio.sleep(0.001)
    s.message("3")
    s.close(4000)
    await s.done()
    await until(lambda: not running())
    assert TOLD == ["waiting", text("a1"), text("2"), "nothing", text("3"), disconnect(4000), disconnect(4000)], TOLD


@page
async def both(scope, receive, send):
    """One task receives while another sends."""
    await receive()
    await send(A)

    async def take():
        while (await receive())["type"] == "websocket.receive":
            TOLD.append("message")

    async def give():
        for i in range(20):
            await send({"type": "websocket.send", "bytes": bytes([i]) * PIPE})
    await asyncio.gather(take(), give())


@case
async def receiving_and_sending_at_once():
    s = await opened(both)
    for i in range(20):
        s.message("x" * 2000)
        assert await s.next() == (BINARY, bytes([i]) * PIPE)
    await until(lambda: len(TOLD) == 20)
    s.close(1000)
    assert await s.done() == FINISHED


@page
async def slow(scope, receive, send):
    await receive()
    await send(A)
    await until(lambda: "go" in TOLD)
    while TOLD[-1] == "go" or TOLD[-1]["type"] == "websocket.receive":
        TOLD.append(await receive())


@case
async def what_came_before_the_end_is_received():
    s = await opened(slow)
    for i in range(100):
        s.message(str(i))
    s.close(1000)
    TOLD.append("go")
    assert await s.done() == FINISHED
    assert TOLD == ["go", *(text(str(i)) for i in range(100)), disconnect(1000)]


@case
async def what_nobody_receives_fills_the_pipe():
    s = await opened(slow)
    written = 0
    while s.put(b"\x07\0\0\0\xf8\0\0\0" + b"x" * 248) == 256:
        written += 1
        await asyncio.sleep(0)
    assert written == PIPE // 256
    TOLD.append("go")
    await until(s.waits)
    assert TOLD == ["go"] + [binary(b"x" * 248)] * written
    s.leave()
    await s.done()


# ---- What it sends.


@page
async def sends(scope, receive, send):
    """It sends what TOLD holds, and then tells what came of it."""
    messages = TOLD.copy()
    TOLD.clear()
    for message in messages:
        TOLD.append(await tried(send, message))
    TOLD.append("end")


async def sent(*messages):
    """What the messages have come to, the records, and how the run has ended."""
    TOLD[:] = messages
    s, records = socket_of(sends), []
    await until(lambda: TOLD and TOLD[-1] == "end")
    while s.take():
        records.append(await s.next())
    return TOLD[:-1], records, await s.done()


@case
async def accept_has_headers_and_a_subprotocol():
    got = await sent({**A, "subprotocol": "chat", "headers": [(b"X-A", b"1"), [b"set-cookie", b"a"], (b"set-cookie", b"b")]}, C)
    accepted = (ACCEPT, 101, ["X-A: 1", "set-cookie: a", "set-cookie: b", "Sec-WebSocket-Protocol: chat"])
    assert got == (["sent", "sent"], [accepted, (CLOSE, 1000, "")], FINISHED), got
    got = await sent({**A, "subprotocol": None, "headers": []}, C)
    assert got[1][0] == (ACCEPT, 101, []), got
    for wrong in ({"headers": [(b"sec-websocket-protocol", b"a")]}, {"headers": [(b"Sec-WebSocket-Accept", b"a")]},
                  {"headers": [(b"a", b"b\r\nc: d")]}, {"headers": [("a", b"b")]}, {"headers": [(b"a b", b"b")]}, {"headers": 7},
                  {"headers": [(b"content-length", b"1")]}, {"subprotocol": b"a"}, {"subprotocol": ""}, {"subprotocol": "a,b"},
                  {"subprotocol": "a\r\nb"}, {"subprotocol": "\u00e4"}, {"subprotocol": 7}):
        got = await sent({**A, **wrong}, A, C)
        assert got[0][0].endswith("Error") and got[0][1:] == ["sent", "sent"], (wrong, got)
        assert got[1:] == ([(ACCEPT, 101, []), (CLOSE, 1000, "")], FINISHED), (wrong, got)


@case
async def send_takes_one_of_bytes_and_text():
    message = {"type": "websocket.send"}
    good = [({"text": "a"}, (TEXT, "a")), ({"bytes": b"b"}, (BINARY, b"b")), ({"text": "c", "bytes": None}, (TEXT, "c")),
            ({"text": None, "bytes": b"d"}, (BINARY, b"d")), ({"text": ""}, (TEXT, "")), ({"bytes": b"", "more": 1}, (BINARY, b"")),
            ({"bytes": memoryview(b"ef")}, (BINARY, b"ef")), ({"bytes": bytearray(b"g")}, (BINARY, b"g"))]
    got = await sent(A, *({**message, **keys} for keys, _ in good), C)
    assert got[0] == ["sent"] * 10 and got[1][1:-1] == [record for _, record in good], got
    for wrong in ({}, {"text": None}, {"text": "a", "bytes": b"a"}, {"text": b"a"}, {"bytes": "a"}, {"text": 7}, {"bytes": 7},
                  {"text": "\ud800"}):
        got = await sent(A, {**message, **wrong}, {**message, "text": "after"}, C)
        assert got[0][1].endswith("Error") and got[0][2:] == ["sent", "sent"] and got[1][1] == (TEXT, "after"), (wrong, got)


@case
async def close_has_a_code_and_a_reason():
    for close, record in (({}, (1000, "")), ({"code": 3000, "reason": "gr\u00fcn"}, (3000, "gr\u00fcn")), ({"reason": None}, (1000, "")),
                          ({"code": None, "reason": ""}, (1000, "")), ({"code": 1001, "reason": "x" * 123}, (1001, "x" * 123)),
                          ({"code": 4999}, (4999, ""))):
        got = await sent(A, {**C, **close})
        assert got == (["sent", "sent"], [(ACCEPT, 101, []), (CLOSE, *record)], FINISHED), (close, got)
    for wrong in ({"code": 999}, {"code": 1005}, {"code": 1006}, {"code": 1015}, {"code": 5000}, {"code": "1000"}, {"code": 2 ** 70},
                  {"reason": "x" * 124}, {"reason": b"x"}, {"reason": 7}):
        got = await sent(A, {**C, **wrong}, C)
        assert got[0][1].endswith("Error") and got[0][2] == "sent" and got[1][1:] == [(CLOSE, 1000, "")], (wrong, got)


@case
async def a_wrong_order_raises():
    message = {"type": "websocket.send", "text": "a"}
    refusal, body = {"type": "websocket.http.response.start", "status": 400}, {"type": "websocket.http.response.body"}
    wrong = "RuntimeError"
    for messages, want in (((message, A, C), [wrong, "sent", "sent"]),
                           ((A, A, C), ["sent", wrong, "sent"]),
                           ((A, C, C, message, A), ["sent", "sent", wrong, wrong, wrong]),
                           ((A, refusal, body, C), ["sent", wrong, wrong, "sent"]),
                           ((body, refusal, A, message, C, refusal, body), [wrong, "sent", wrong, wrong, wrong, wrong, "sent"]),
                           ((C, A, C, message), ["sent", wrong, wrong, wrong]),
                           (({"type": "http.response.start", "status": 200}, {"type": "websocket.receive"}, {}, None, A, C),
                            ["ValueError", "ValueError", "KeyError", "TypeError", "sent", "sent"])):
        got = await sent(*messages)
        assert got[0] == want and got[2] == FINISHED, (messages, got)


@case
async def a_handshake_is_refused():
    got = await sent(C)
    lines = ["Content-Type: text/plain; charset=utf-8", "Content-Length: 10"]
    assert got == (["sent"], [(HEAD, 403, lines), (BODY, b"Forbidden\n")], FINISHED), got
    refusal = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Basic")]}
    body = {"type": "websocket.http.response.body", "body": b"one", "more_body": True}
    got = await sent(refusal, body, body, {**body, "body": b"two", "more_body": False})
    want = [(HEAD, 401, ["www-authenticate: Basic"]), (BODY, b"one"), (BODY, b"one"), (BODY, b"two")]
    assert got == (["sent"] * 4, want, FINISHED), got
    got = await sent({**refusal, "headers": []}, {"type": "websocket.http.response.body"})
    assert got[1:] == ([(HEAD, 401, ["Content-Length: 0"])], FINISHED), got


# ---- How it ends.


@page
async def closes(scope, receive, send):
    await receive()
    await send(A)
    await send({**C, "code": 3000, "reason": "r"})
    TOLD.extend([await receive(), await receive()])


@page
async def refuses(scope, receive, send):
    await receive()
    await send(C)
    TOLD.append(await receive())


@case
async def after_its_own_close_it_is_disconnected():
    s = await opened(closes)
    assert await s.next() == (CLOSE, 3000, "r") and await s.done() == FINISHED
    await until(lambda: TOLD == [disconnect(3000, "r")] * 2)
    s = socket_of(refuses)
    assert (await s.next())[:2] == (HEAD, 403) and (await s.next())[0] == BODY and await s.done() == FINISHED
    await until(lambda: disconnect(1006) in TOLD)


@page
async def leaves(scope, receive, send):
    """It returns or raises at a point of its life."""
    how = scope["query_string"].decode()
    if "accepted" in how or "full" in how:
        await send(A)
    if "full" in how:
        send({"type": "websocket.send", "bytes": b"f" * 3 * PIPE})
        send({"type": "websocket.send", "bytes": b"g" * 3 * PIPE})
    if "refused" in how:
        await send({"type": "websocket.http.response.start", "status": 400})
    if "begun" in how:
        await send({"type": "websocket.http.response.body", "body": b"x", "more_body": True})
    if "closing" in how:
        send(C)
    if "raised" in how:
        raise ValueError(how)


class Log:
    """What is written to standard error meanwhile."""

    def __enter__(self):
        sys.stderr.flush()
        self.kept, self.file = os.dup(2), tempfile.TemporaryFile()
        os.dup2(self.file.fileno(), 2)
        return self

    def __exit__(self, *_):
        sys.stderr.flush()
        os.dup2(self.kept, 2)
        os.close(self.kept)
        self.file.seek(0)
        self.text = self.file.read().decode()
        self.file.close()


@case
async def the_end_of_the_application_ends_it():
    full = [(BINARY, b"f" * 3 * PIPE), (BINARY, b"g" * 3 * PIPE)]
    page500 = [(HEAD, 500), (BODY, b"Internal Server Error\n")]
    cut = [(HEAD, 400), (BODY, b"x")]
    for how, records, outcome, logged in (
            (b"accepted", [(CLOSE, 1000, "")], FINISHED, ""),
            (b"accepted raised", [(CLOSE, 1011, "")], FINISHED, "WebSocket is closed"),
            (b"full", full + [(CLOSE, 1000, "")], FINISHED, ""),
            (b"full raised", full + [(CLOSE, 1011, "")], FINISHED, "WebSocket is closed"),
            (b"full closing", full + [(CLOSE, 1000, "")], FINISHED, ""),
            (b"full closing raised", full + [(CLOSE, 1000, "")], FINISHED, "WebSocket is closed"),
            (b"accepted closing raised", [(CLOSE, 1000, "")], FINISHED, "WebSocket is closed"),
            (b"", page500, FINISHED, "accepted or refused"),
            (b"raised", page500, FINISHED, "client gets 500"),
            (b"refused", page500, FINISHED, "before its response was complete; the client gets 500"),
            (b"refused raised", page500, FINISHED, "client gets 500"),
            (b"refused begun", cut, ABORTED, "answer is cut"),
            (b"refused begun raised", cut, ABORTED, "answer is cut")):
        with Log() as log:
            s = socket_of(leaves, query=how)
            if b"accepted" in how or b"full" in how:
                assert (await s.next())[0] == ACCEPT
            for record in records:
                got = await s.next()
                assert got[:len(record)] == record, (how, got[:2])
            assert await s.done() == outcome, how
        assert logged in log.text and (log.text != "") == (logged != ""), (how, log.text)
        assert ("Traceback" in log.text) == (b"raised" in how), (how, log.text)


class WebSocketDisconnect(Exception):
    """As frameworks have it."""


@page
async def goes_on(scope, receive, send):
    """It raises what it meets when its client leaves."""
    how = scope["query_string"]
    await receive()
    await send(A)
    while how == b"send":
        await send({"type": "websocket.send", "bytes": b"x" * 1000})
    while (await receive())["type"] != "websocket.disconnect":
        pass
    raise WebSocketDisconnect() if how == b"framework" else ValueError("of its own")


@case
async def a_leaving_client_is_no_error():
    for how, logged in ((b"send", False), (b"framework", False), (b"other", True)):
        with Log() as log:
            s = await opened(goes_on, query=how)
            await asyncio.sleep(0)
            s.leave()
            await until(s.over)
            s.forget()
        assert ("its client is gone" in log.text and "Traceback" in log.text) == logged, (how, log.text)


@page
async def floods(scope, receive, send):
    """It never waits, but for what send and receive do."""
    await receive()
    await send(A)
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        TOLD.append(message)
        await send({"type": "websocket.send", "text": message["text"]})


@case
async def others_have_their_turn():
    s = await opened(floods)
    await until(s.waits)
    for _ in range(100):
        s.message("m")
    most = 0
    while len(TOLD) < 100:
        before = len(TOLD)
        await asyncio.sleep(0)
        most = max(most, len(TOLD) - before)
    assert 0 < most <= 4, most  # messages count for a pipe of this size
    s.leave()
    s.forget()
    await s.done()


async def main():
    for each in CASES:
        try:
            await each()
            await until(lambda: not running())
        except BaseException:
            print("not ok", each.__name__, TOLD[:10])
            raise
        print("ok", each.__name__)


print("Python", sys.version.split()[0])
start(application).run_until_complete(main())
