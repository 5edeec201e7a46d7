"""ASGI in several loops at once, in a Python without a GIL."""

import asyncio
import contextvars
import json
import sys
import threading
import time

sys.setswitchinterval(3600)  # with a GIL, a thread that only computes would never let go of it

IMPORTED = contextvars.ContextVar("IMPORTED")
IMPORTED.set("at import")
LOOPS = {}  # by the identity of their threads
ARRIVED = []


async def gil(scope, receive, send):
    return str(sys._is_gil_enabled())


async def echo(scope, receive, send):
    """What the client sent, piece by piece, and much more than a pipe holds if it sent much."""
    pieces, more = [], True
    while more:
        message = await receive()
        more = message["more_body"]
        pieces.append(message["body"])
    return dict(scope["headers"])[b"x-nonce"].decode() + scope["query_string"].decode() + b"".join(pieces).decode()


async def meet(scope, receive, send):
    """Compute, and let nothing else run in this loop, until as many do as the query says; then answer with the thread."""
    wanted, until = int(scope["query_string"]), time.monotonic() + 120
    ARRIVED.append(threading.get_ident())
    while len(ARRIVED) < wanted:
        if time.monotonic() > until:
            return "alone"
    return str(threading.get_ident())


async def own(scope, receive, send):
    """What each loop has of the import and of lifespan, and which of them is the main thread's."""
    return json.dumps([IMPORTED.get("nothing"), scope["state"], threading.current_thread().name])


def another():
    return next(loop for thread, loop in LOOPS.items() if thread != threading.get_ident())


async def across(scope, receive, send):
    """What another loop may do of this request's, and what it may not."""
    async def there(use):
        try:
            await use()
        except RuntimeError as error:
            return "for the thread of" in str(error)
        return False

    receiving, sending = receive(), send({"type": "http.response.start", "status": 200})
    uses = [receive, lambda: send({"type": "http.response.body"}), lambda: receiving, lambda: sending]
    refused = [await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(use), another())) for use in uses]
    receiving.close()
    came = asyncio.Event()
    here = asyncio.get_running_loop()
    another().call_soon_threadsafe(here.call_soon_threadsafe, came.set)
    await came.wait()
    await send({"type": "http.response.body", "body": json.dumps(refused).encode()})


async def stop(scope, receive, send):
    """An application that stops a loop which is not its own."""
    main = threading.main_thread().ident
    loop = next(loop for thread, loop in LOOPS.items() if thread != main)
    loop.call_soon_threadsafe(loop.stop)
    return "stopping"


async def made(scope, receive, send):
    return str(len(MADE))


MADE = []  # loops beside the main one
make_loop = asyncio.new_event_loop


def loop_of_thread(make):
    """The application, where other threads than the main one get their loops so."""
    def new_event_loop():
        return make_loop() if threading.current_thread() is threading.main_thread() else make()

    asyncio.new_event_loop = new_event_loop
    return application


def slow():
    def make():
        time.sleep(0.2)
        MADE.append(True)
        return make_loop()

    return loop_of_thread(make)


def failing():
    def make():
        raise ZeroDivisionError("no loop here")

    return loop_of_thread(make)


PAGES = {"/" + page.__name__: page for page in (gil, echo, meet, own, across, stop, made)}


async def lifespan(scope, receive, send):
    await receive()
    scope["state"]["made"] = "in lifespan"
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("shutdown in", threading.current_thread().name, file=sys.stderr, flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    LOOPS[threading.get_ident()] = asyncio.get_running_loop()
    body = await PAGES[scope["path"]](scope, receive, send)
    if body is not None:
        nonce = dict(scope["headers"]).get(b"x-nonce", b"")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-nonce", nonce)]})
        await send({"type": "http.response.body", "body": body.encode()})
