"""ASGI applications that do next to nothing: what is measured is the server."""

import asyncio
import os
import time
from pathlib import Path

HELLO = b"Hello, world!\n"
FILES = Path(__file__).resolve().parents[3] / "build" / "bench" / "files"
TICK = 0.010  # seconds


def start(length, status=200):
    """The message that begins an answer."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % length)]
    return {"type": "http.response.start", "status": status, "headers": headers}


HELLO_START, HELLO_BODY = start(len(HELLO)), {"type": "http.response.body", "body": HELLO}


def application(http, websocket=None, started=None):
    """http, with a lifespan: servers that find one missing log it."""

    async def serve(scope, receive, send):
        if scope["type"] == "http":
            await http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await lifespan(receive, send, started)
        elif websocket:
            await websocket(receive, send)

    return serve


async def lifespan(receive, send, started):
    await receive()
    task = asyncio.create_task(started()) if started else None
    await send({"type": "lifespan.startup.complete"})
    await receive()
    if task:
        task.cancel()
    await send({"type": "lifespan.shutdown.complete"})


async def say_hello(scope, receive, send):
    await send(HELLO_START)
    await send(HELLO_BODY)


async def send_back(scope, receive, send):
    """The body that came."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)
    await send(start(len(body)))
    await send({"type": "http.response.body", "body": body})


async def send_path(scope, receive, send):
    """A file, which the server itself sends; 501 from one that cannot."""
    path = FILES / Path(scope["path"]).name
    if "http.response.pathsend" not in scope.get("extensions", {}):
        why = b"the server does not announce http.response.pathsend\n"
        await send(start(len(why), 501))
        await send({"type": "http.response.body", "body": why})
        return
    await send(start(path.stat().st_size))
    await send({"type": "http.response.pathsend", "path": str(path)})


async def accept(receive, send):
    await receive()
    await send({"type": "websocket.accept"})


async def hand_on(receive, *sends):
    """The next message, to each of them. Returns whether there was one, and keeps nothing of it."""
    message = await receive()
    if message["type"] != "websocket.receive":
        return False
    kind = "text" if message.get("text") is not None else "bytes"
    said = {"type": "websocket.send", kind: message[kind]}
    for send in sends:
        await send(said)
    return True


async def send_each_back(receive, send):
    await accept(receive, send)
    while await hand_on(receive, send):
        pass


ROOM = set()


async def send_to_all(receive, send):
    """A chat room: each message goes to everyone, its author among them."""
    await accept(receive, send)
    ROOM.add(send)
    try:
        while await hand_on(receive, send_to_room):
            pass
    finally:
        ROOM.discard(send)


async def send_to_room(said):
    for send in list(ROOM):
        await send(said)


async def keep_time():
    """A line of nanoseconds for each time that a timer was due: how late it was."""
    with open(os.environ["BENCH_LATENESS"], "w", buffering=1) as file:
        while True:
            begin = time.perf_counter_ns()
            await asyncio.sleep(TICK)
            print(time.perf_counter_ns() - begin - int(TICK * 1e9), file=file)


hello = application(say_hello)
echo = application(send_back)
files = application(send_path)
ws_echo = application(say_hello, send_each_back)
ws_broadcast = application(say_hello, send_to_all)
timed = application(say_hello, started=keep_time)
