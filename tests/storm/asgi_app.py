"""The application that the storm runs against with -interface asgi: app.py as a coroutine.

A request's line "E nonce pid" is written before its last message, so that who has the whole
answer finds it there.
"""

import asyncio
import hashlib
import tempfile
from urllib.parse import parse_qs

import app
from app import note, pattern

CHUNK = 50000


class Answer:
    """The messages of an answer, whose length may be known."""

    def __init__(self, send, nonce, length=None):
        self.send, self.nonce = send, nonce
        self.headers = [(b"content-type", b"application/octet-stream"), (b"x-nonce", nonce.encode())]
        if length is not None:
            self.headers.append((b"content-length", str(length).encode()))

    async def start(self):
        await self.send({"type": "http.response.start", "status": 200, "headers": self.headers})

    async def piece(self, body):
        await self.send({"type": "http.response.body", "body": body, "more_body": True})

    async def last(self, body=b""):
        note("E", self.nonce)
        await self.send({"type": "http.response.body", "body": body})


async def upload(scope, receive, answer):
    digest, total, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            note("E", answer.nonce)
            return
        digest.update(message["body"])
        total += len(message["body"])
        more = message["more_body"]
    await answer.start()
    await answer.piece(f"{answer.nonce} {total} ".encode())
    await answer.last(digest.hexdigest().encode())


async def pieces(answer, body, size, wait):
    await answer.start()
    for i in range(0, len(body), size):
        if wait and i % (4 * size) == 0:
            await asyncio.sleep(0.002)
        await answer.piece(body[i : i + size])
    await answer.last()


async def halves(answer, body):
    """Two parts of a file, of which the second waits until the front has taken the first. Parts
    that are shorter than a pipe are sent as bytes."""
    half, part = len(body) // 2, "http.response.zerocopysend"
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(body)
        await answer.start()
        await answer.send({"type": part, "file": file, "offset": 0, "count": half, "more_body": True})
        note("E", answer.nonce)
        await answer.send({"type": part, "file": file, "offset": half})


async def socket(receive, send, nonce):
    """Every message goes back, until the client says goodbye with its nonce, or is gone."""
    note("B", nonce)
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"x-nonce", nonce.encode())]})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            break
        try:
            await send({"type": "websocket.send", "bytes": message["bytes"]})
        except OSError:
            pass
    assert message["code"] != 1000 or message["reason"] == nonce, message
    note("E", nonce)


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
    nonce, kind, size = query["nonce"], scope["path"].strip("/"), int(query.get("size", 0))
    if scope["type"] == "websocket":
        return await socket(receive, send, nonce)
    note("B", nonce)
    if kind == "upload":
        await upload(scope, receive, Answer(send, nonce))
    elif kind == "download":
        await pieces(Answer(send, nonce, size), pattern(nonce, size), CHUNK, False)
    elif kind == "file" and size >= 65536:
        await halves(Answer(send, nonce, size), pattern(nonce, size))
    elif kind in ("stream", "file"):
        await pieces(Answer(send, nonce), pattern(nonce, size), 4096, kind == "stream")
    else:
        if kind == "sleep":
            await asyncio.sleep(0.02)
        answer = Answer(send, nonce, len(nonce))
        await answer.start()
        await answer.last(nonce.encode())


async def lifespan(receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


assert app.LOG  # it fails as the storm wants when it is imported
