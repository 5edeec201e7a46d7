"""Applications whose lifespan goes wrong in one way or the other: gobridge run lifespans:NAME"""

import asyncio
import sys


async def hello(send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})


async def failed(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "there is no database"})


async def raises(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError("no lifespan")
    await hello(send)


async def raises_later(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        raise ZeroDivisionError("in the startup")
    await hello(send)


async def raises_while_serving(scope, receive, send):
    if scope["type"] != "lifespan":
        return await hello(send)
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await asyncio.sleep(0)
    raise ZeroDivisionError("in a task group of the lifespan")


async def returns(scope, receive, send):
    if scope["type"] != "lifespan":
        await hello(send)


async def exits(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        sys.exit(7)
    await hello(send)


async def bad_end(scope, receive, send):
    if scope["type"] != "lifespan":
        return await hello(send)
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "the database has gone"})
