"""The pages of asgi_checks that use asyncio and anyio as applications do. Each answers with what it has seen."""

import asyncio
import contextvars
import gc
import json
import signal
import sys

NOTES = []  # what comes behind a response
HELD = {}  # events
REQUEST = contextvars.ContextVar("REQUEST")


def name_of(scope):
    return scope["query_string"].decode()


async def answer(send, value):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


async def noted(scope, receive, send):
    await answer(send, [text for name, text in NOTES if name == name_of(scope)])


async def handled(scope, receive, send):
    """What the loop's exception handler is told of a task that nobody awaits."""
    loop, told = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda loop, context: told.append(context))

    async def fail():
        raise ValueError(name_of(scope))

    try:
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])
        del task
        gc.collect()
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    await answer(send, sorted(type(context["exception"]).__name__ for context in told))


async def told(scope, receive, send):
    """It ends when its worker is told to stop, as a loop can be told."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"waits", "more_body": True})
    await stop.wait()
    await send({"type": "http.response.body", "body": b"told"})


async def background(scope, receive, send):
    """A task of its own, and the rest of the application, go on when the response is out."""
    REQUEST.set(name_of(scope))
    started = asyncio.Event()

    async def later():
        await started.wait()
        await asyncio.sleep(0.01)
        NOTES.append((REQUEST.get(), "task"))

    task = asyncio.ensure_future(later())
    await answer(send, "out")
    started.set()
    await task
    NOTES.append((name_of(scope), "application"))


async def cancelled(scope, receive, send):
    """A task that is cancelled, one that will not be, and one that waits for what never comes."""
    async def stubborn():
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return "stayed"

    async def receiving():
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.ensure_future(one) for one in (asyncio.sleep(100), stubborn(), receiving())]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    await answer(send, [one if isinstance(one, str) else type(one).__name__ for one in ended])


async def threads(scope, receive, send):
    """Another thread makes what is awaited here, as asgiref's async_to_sync has it."""
    loop = asyncio.get_running_loop()

    def work():
        def here(awaitable):
            return asyncio.run_coroutine_threadsafe(awaitable, loop).result(60)

        kind = here(receive())["type"]
        here(send({"type": "http.response.start", "status": 200, "headers": []}))
        here(send({"type": "http.response.body", "body": json.dumps(kind).encode()}))

    await loop.run_in_executor(None, work)


async def in_time(scope, receive, send):
    """receive() under a time limit, as each Python has it, and a limit that is not reached."""
    await receive()
    seen = []
    if sys.version_info >= (3, 11):
        try:
            async with asyncio.timeout(0.01):
                await receive()
        except TimeoutError:
            seen.append("timeout")
        async with asyncio.timeout(100):
            await asyncio.sleep(0)
    else:
        try:
            await asyncio.wait_for(receive(), 0.01)
        except asyncio.TimeoutError:
            seen.append("timeout")
    seen.append(await asyncio.wait_for(asyncio.sleep(0, "in time"), 100))
    await answer(send, seen)


async def grouped(scope, receive, send):
    """anyio's groups, scopes, streams and threads."""
    import anyio  # only where it is used
    seen = []
    sender, receiver = anyio.create_memory_object_stream(1)

    async def produce():
        async with sender:
            for i in range(3):
                await sender.send(i)

    async with anyio.create_task_group() as group:
        group.start_soon(produce)
        async with receiver:
            async for i in receiver:
                seen.append(i)
    with anyio.move_on_after(0.01) as limit:
        await receive()
        await receive()
    seen.append(limit.cancelled_caught)
    REQUEST.set("here")
    seen.append(await anyio.to_thread.run_sync(REQUEST.get))
    try:
        with anyio.fail_after(0.01):
            await anyio.sleep(100)
    except TimeoutError:
        seen.append("timeout")
    await answer(send, seen)


async def events(scope, receive, send):
    """Server-sent events as Starlette sends them: who leaves ends the stream by cancelling it."""
    import anyio
    async def stream():
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        try:
            for pause in (0.005, 0.005, 1000):  # a send amid the leaving would fail before the watcher hears of it
                await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
                await anyio.sleep(pause)
        except BaseException as error:
            NOTES.append((name_of(scope), type(error).__name__))
            raise

    async with anyio.create_task_group() as group:
        async def watch():
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        group.start_soon(watch)
        await stream()


async def uploads(scope, receive, send):
    """Of each piece of its body it answers the size, as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            NOTES.append((name_of(scope), message["type"]))
            NOTES.append((name_of(scope), (await receive())["type"]))
            return
        more = message["more_body"]
        await send({"type": "http.response.body", "body": f"{len(message['body'])} {more}".encode(), "more_body": more})


async def holds(scope, receive, send):
    """It takes nothing of its body before it is `released`."""
    held = HELD.setdefault(name_of(scope), asyncio.Event())
    await held.wait()
    total, more = 0, True
    while more:
        message = await receive()
        total, more = total + len(message["body"]), message["more_body"]
    await answer(send, total)


async def released(scope, receive, send):
    HELD[name_of(scope)].set()
    await answer(send, "released")


async def first_step(scope, receive, send):
    """Does the callback that has taken the request also run the application's first step? (For asyncio's own loop.)"""
    frame = sys._getframe()
    while frame is not None and not isinstance(frame.f_locals.get("self"), asyncio.Handle):
        frame = frame.f_back
    readers = [key.data[0] for key in asyncio.get_running_loop()._selector.get_map().values()]
    at_once = frame is not None and any(frame.f_locals["self"] is one for one in readers)
    await answer(send, {"at once": at_once, "may be": sys.version_info >= (3, 12)})


async def debug(scope, receive, send):
    await answer(send, asyncio.get_running_loop().get_debug())


async def stops(scope, receive, send):
    """It stops the loop that runs it, and has more to do."""
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.05)
    await answer(send, "finished")


async def breaks(scope, receive, send):
    """It has the loop fail in each of its rounds."""
    asyncio.get_running_loop()._selector.close()
    await asyncio.sleep(1000)


PAGES = [first_step, uploads, holds, released, stops, breaks, threads, noted, handled, told, background, cancelled, in_time, grouped, events, debug]
