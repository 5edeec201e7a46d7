"""The WebSockets of asgi_checks.py: a page is a coroutine function under its name."""

import ast
import asyncio
import json
import sys

PAGES = {}


def page(function):
    PAGES["/" + function.__name__] = function
    return function


async def application(scope, receive, send, note, shown, gate):
    """note takes a line for who asks, shown makes JSON of a scope, gate is what others open."""
    path = scope["path"][len(scope["root_path"]):]
    await PAGES[path](Socket(scope, receive, send, note, shown, gate))


class Socket:
    """What a page has: the three of ASGI, and notes of what it receives and sends."""

    def __init__(self, scope, receive, send, note, shown, gate):
        self.scope, self.given, self.send, self.shown, self.gate = scope, receive, send, shown, gate
        self.note = lambda text: note(scope, text)

    async def receive(self):
        """The next event, noted."""
        event = await self.given()
        kind, rest = event["type"], {key: value for key, value in event.items() if key != "type"}
        self.note(" ".join([kind, *(f"{key}={str(value)[:40]!r}" if isinstance(value, str) else f"{key}={value!r}"[:50]
                                    for key, value in sorted(rest.items()))]))
        return event

    async def tried(self, message):
        """Send, and note what comes of it."""
        try:
            await self.send(message)
            self.note("sent")
        except Exception as error:  # pylint: disable=broad-except
            self.note(f"{type(error).__name__} OSError" if isinstance(error, OSError) else type(error).__name__)


@page
async def echo(s):
    await s.receive()
    await s.send({"type": "websocket.accept"})
    while True:
        event = await s.receive()
        if event["type"] == "websocket.disconnect":
            break
        await s.send({**event, "type": "websocket.send"})
    await s.receive()
    await s.tried({"type": "websocket.send", "text": "late"})


@page
async def gated(s):
    """It receives nothing until its gate is open."""
    await s.send({"type": "websocket.accept"})
    await s.gate.wait()
    while (event := await s.given())["type"] != "websocket.disconnect":
        if event["type"] == "websocket.receive":
            await s.send({**event, "type": "websocket.send"})


@page
async def scope(s):
    """The scope; the next one must not see what is done to it here."""
    text = json.dumps(s.shown(s.scope))
    s.scope["extensions"]["mine"] = s.scope["asgi"]["mine"] = {}
    s.scope["subprotocols"].append("mine")
    await s.send({"type": "websocket.accept"})
    await s.send({"type": "websocket.send", "text": text})
    await s.send({"type": "websocket.close"})


@page
async def delays(s):
    """It waits for more before it accepts."""
    await s.receive()
    event = await s.receive()
    if event["code"] == 1012:  # nobody can ask for notes any more
        print("undecided, and told 1012", file=sys.stderr, flush=True)


@page
async def sends(s):
    """It sends the messages that a header of the handshake holds, and waits for its end."""
    await s.receive()
    for message in ast.literal_eval(next(value for name, value in s.scope["headers"] if name == b"messages").decode()):
        await s.tried(message)
    await s.receive()


@page
async def denies(s):
    """It refuses with several bodies."""
    await s.receive()
    await s.tried({"type": "websocket.http.response.start", "status": 418, "headers": [(b"x-a", b"1")]})
    for body in (b"one", b"t" * 200000, b"end"):
        await s.tried({"type": "websocket.http.response.body", "body": body, "more_body": body != b"end"})
    await s.tried({"type": "websocket.close"})
    await s.receive()


@page
async def ends(s):
    """It returns or raises, before accept or behind it."""
    how = s.scope["query_string"].decode().partition("&")[2]
    if how.startswith("open"):
        await s.send({"type": "websocket.accept"})
        await s.send({"type": "websocket.send", "text": "first"})
    if how.endswith("raises"):
        raise ValueError(s.scope["query_string"].decode())


@page
async def flushes(s):
    """Much is on its way when it closes, the second half of it from tasks that send at once."""
    await s.send({"type": "websocket.accept"})
    for i in range(50):
        await s.send({"type": "websocket.send", "bytes": bytes([i]) * 10000})
    await asyncio.gather(*(s.send({"type": "websocket.send", "bytes": bytes([i]) * 10000}) for i in range(50, 100)))
    await s.send({"type": "websocket.close", "code": 4000, "reason": "all"})


@page
async def waits(s):
    """It receives nothing until much was sent to it."""
    await s.receive()
    await s.send({"type": "websocket.accept"})
    await s.send({"type": "websocket.send", "text": "open"})
    await asyncio.sleep(0.2)
    total = 0
    while total < 3000000:
        total += len((await s.given())["bytes"])
    await s.send({"type": "websocket.send", "text": str(total)})


@page
async def both(s):
    """One task receives while another sends."""
    await s.receive()
    await s.send({"type": "websocket.accept"})

    async def take():
        total = 0
        while total < 1000000:
            total += len((await s.given())["bytes"])
        return total

    async def give():
        for i in range(50):
            await s.send({"type": "websocket.send", "bytes": bytes([i]) * 20000})
    total, _ = await asyncio.gather(take(), give())
    await s.send({"type": "websocket.send", "text": str(total)})


@page
async def endless(s):
    """It sends until that fails."""
    await s.send({"type": "websocket.accept"})
    try:
        while True:
            await s.send({"type": "websocket.send", "text": "x" * 1000})
    except BaseException as error:
        s.note(f"OSError: {isinstance(error, OSError)}")
        raise
