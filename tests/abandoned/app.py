"""Server-sent events without end: gobridge run app:application"""

import asyncio
import os
import time

LEFT = {}  # by query: when a stream learnt that its client had left, in seconds of CLOCK_MONOTONIC


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


async def stream(send, interval):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    while True:
        await send({"type": "http.response.body", "body": b"data: event\n\n", "more_body": True})
        await asyncio.sleep(interval)


async def watching(scope, receive, send):
    """An event in a while; it ends when receive says so."""
    events = asyncio.ensure_future(stream(send, 10))
    while (await receive())["type"] != "http.disconnect":
        pass
    if scope["query_string"]:
        LEFT[scope["query_string"]] = time.monotonic()
    events.cancel()
    await asyncio.wait([events])


async def sending(scope, receive, send):
    """An event in each moment; it ends when send raises."""
    await stream(send, 0.02)


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    elif scope["path"] == "/watching":
        await watching(scope, receive, send)
    elif scope["path"] == "/sending":
        await sending(scope, receive, send)
    elif scope["path"] == "/left":
        await answer(send, str(LEFT.pop(scope["query_string"], "")))
    else:  # tasks beside this one and lifespan's, and descriptors
        await answer(send, f"{len(asyncio.all_tasks()) - 2} {len(os.listdir('/proc/self/fd'))}")
