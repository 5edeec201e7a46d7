"""The application that the checks of ASGI ask: gobridge run asgi_checks:application

A page is a coroutine function under its name. What it is asked with, its query, is also the
name of its notes and of its gate, so that checks do not meet. They may be asked in several
loops at once.
"""

import ast
import asyncio
import contextvars
import io
import json
import os
import sys
import threading
import time

import asgi_extensions
import asgi_sockets
import asgi_tasks

PAGES = {"/" + function.__name__: function for function in asgi_extensions.PAGES + asgi_tasks.PAGES}
NOTES = {}  # lists
GATES = {}
LOOPS = set()  # that have served
LIFE = {"started": False, "startups": 0, "early": 0}
MEETING = os.environ.get("MEETING")
LOCAL = contextvars.ContextVar("LOCAL", default="unset")


def page(function):
    PAGES["/" + function.__name__] = function
    return function


def name_of(scope):
    return scope["query_string"].decode()


def notes_of(scope):
    return NOTES.setdefault(name_of(scope), [])


def note(scope, text):
    notes_of(scope).append(text)


class Gate:
    """An event for the tasks of any loop."""

    def __init__(self):
        self.lock = threading.Lock()
        self.is_open = False
        self.waiting = []

    async def wait(self):
        future = asyncio.get_running_loop().create_future()
        with self.lock:
            if self.is_open:
                return
            self.waiting.append(future)
        await future

    def open(self):
        with self.lock:
            self.is_open = True
        for future in self.waiting:
            future.get_loop().call_soon_threadsafe(lambda future=future: future.done() or future.set_result(None))


def gate_of(scope):
    return GATES.setdefault(name_of(scope), Gate())


async def answer(send, text, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain"), *headers]})
    await send({"type": "http.response.body", "body": text if isinstance(text, bytes) else text.encode()})


async def read(receive):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


@page
async def notes(scope, receive, send):
    await answer(send, "".join(text + "\n" for text in notes_of(scope)))


@page
async def open(scope, receive, send):
    gate_of(scope).open()
    await answer(send, "open")


# ---- The scope.


def shown(value):
    """A value as JSON holds it, with its type."""
    if isinstance(value, bytes):
        return ["bytes", value.decode("latin-1")]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, [shown(v) for v in value]]
    if isinstance(value, dict):
        return [type(value).__name__, {k: shown(v) for k, v in value.items()}]
    return [type(value).__name__, value]


@page
async def scope(scope, receive, send):
    """What the scope has. The next request must not see what is done to it here."""
    text = json.dumps(shown(scope))
    scope["asgi"]["version"] = scope["asgi"]["mine"] = "spoilt"
    scope["extensions"]["mine"] = {}
    scope["state"]["mine"] = "spoilt"
    scope["headers"].append((b"mine", b"spoilt"))
    scope["path"] = scope["mine"] = "spoilt"
    await answer(send, text)


@page
async def shared(scope, receive, send):
    """The copy of the state is a shallow one."""
    scope["state"]["list"].append(name_of(scope))
    await answer(send, json.dumps(scope["state"]["list"]))


# ---- Receiving.


@page
async def receives(scope, receive, send):
    """Type, length and more_body of each message up to the body's end, and the body's sum."""
    messages, total = [], 0
    while True:
        message = await receive()
        messages.append([message["type"], type(message["body"]).__name__, len(message["body"]), message["more_body"]])
        total += sum(message["body"])
        if not message["more_body"]:
            break
    await answer(send, json.dumps({"messages": messages, "sum": total}))


@page
async def waits(scope, receive, send):
    """It waits for the disconnect behind its body, and notes what comes twice."""
    await read(receive)
    note(scope, "waiting")
    for _ in range(2):
        message = await receive()
        note(scope, message["type"])
    await answer(send, "to nobody, or to one who has only closed his half")


@page
async def timed(scope, receive, send):
    """What receive has when nothing comes: nothing, however it is waited for."""
    await read(receive)
    tasks = [asyncio.ensure_future(receive()) for _ in range(2)]
    done, _ = await asyncio.wait(tasks, timeout=0.05)
    try:
        await asyncio.wait_for(receive(), 0.01)
        note(scope, "something came")
    except asyncio.TimeoutError:
        note(scope, "nothing came")
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    await answer(send, json.dumps([len(done), [type(e).__name__ for e in ended]]))


@page
async def complete(scope, receive, send):
    """What receive and send do behind the response."""
    await read(receive)
    await answer(send, "complete")
    for _ in range(2):
        note(scope, (await receive())["type"])
    try:
        await send({"type": "http.response.body", "body": b"more"})
        note(scope, "sent")
    except Exception as error:  # pylint: disable=broad-except
        note(scope, type(error).__name__)


@page
async def concurrent(scope, receive, send):
    """One task receives while another sends, and several send at once."""
    total = 0

    async def take():
        nonlocal total
        while True:
            message = await receive()
            total += len(message["body"])
            if not message["more_body"]:
                return

    await send({"type": "http.response.start", "status": 200})
    taking = asyncio.create_task(take())
    pieces = [bytes([65 + i]) * 100000 for i in range(8)]
    await asyncio.gather(*(send({"type": "http.response.body", "body": piece, "more_body": True}) for piece in pieces))
    await taking
    await send({"type": "http.response.body", "body": str(total).encode()})


# ---- Sending.


@page
async def sends(scope, receive, send):
    """It sends the messages in its body, and notes which of them raise what."""
    for message in ast.literal_eval((await read(receive)).decode()):
        try:
            await send(message)
        except Exception as error:  # pylint: disable=broad-except
            note(scope, type(error).__name__)
            if name_of(scope).endswith("raise"):
                raise
        else:
            note(scope, "sent")


@page
async def gated(scope, receive, send):
    """A piece, and another one when the gate is open."""
    await send({"type": "http.response.start", "status": 200})
    note(scope, "started")
    if name_of(scope).endswith("late"):
        await gate_of(scope).wait()
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    note(scope, "one")
    await gate_of(scope).wait()
    await send({"type": "http.response.body", "body": memoryview(b"two"), "more_body": True})
    await send({"type": "http.response.body"})


@page
async def much(scope, receive, send):
    """It notes how far it comes with a client that takes nothing."""
    await send({"type": "http.response.start", "status": 200})
    for i in range(600):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        notes_of(scope)[:] = [str(i + 1)]
    await send({"type": "http.response.body", "body": b"end"})


@page
async def endless(scope, receive, send):
    """It sends until that fails."""
    await send({"type": "http.response.start", "status": 200})
    try:
        while True:
            await send({"type": "http.response.body", "body": b"x" * 20000, "more_body": True})
            if name_of(scope).endswith("slow"):
                await asyncio.sleep(0.01)
    except BaseException as error:
        note(scope, f"OSError: {isinstance(error, OSError)}")
        if name_of(scope).endswith("other"):
            raise RuntimeError("the client has gone") from error
        raise


@page
async def computes(scope, receive, send):
    """It goes on although its client leaves."""
    note(scope, "computing")
    try:
        await gate_of(scope).wait()
    except asyncio.CancelledError:
        note(scope, "cancelled")
        raise
    note(scope, "finished")


@page
async def exits(scope, receive, send):
    """Behind its response, while the worker drains, it has the loop raise in each of its rounds."""
    await answer(send, "exits")
    await gate_of(scope).wait()
    await asyncio.sleep(0.2)
    loop, left = asyncio.get_running_loop(), [20]

    def again():
        left[0] -= 1
        if left[0] > 0:
            loop.call_soon(again)
        sys.exit("from the loop")

    loop.call_soon(again)


# ---- Faults.


@page
async def fails(scope, receive, send):
    name, _, how = name_of(scope).partition("&")
    if how in ("started", "cut", "counted", "done"):
        length = [(b"content-length", b"10")] if how == "counted" else []
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-first", b"1"), *length]})
    if how in ("cut", "counted", "done"):
        await send({"type": "http.response.body", "body": b"out", "more_body": how != "done"})
    if how == "exit":
        sys.exit(name)
    if how == "interrupt":
        raise KeyboardInterrupt(name)
    if how == "cancel":
        asyncio.current_task().cancel(name)
        await asyncio.sleep(10)
    raise ValueError(name)


@page
async def returns(scope, receive, send):
    name, _, how = name_of(scope).partition("&")
    if how != "nothing":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-first", b"1")]})
    if how == "cut":
        await send({"type": "http.response.body", "body": b"out", "more_body": True})


@page
async def unawaited(scope, receive, send):
    """It returns while its last piece still waits for room."""
    await send({"type": "http.response.start", "status": 200})
    send({"type": "http.response.body", "body": b"u" * 1000000})


# ---- Around it.


@page
async def context(scope, receive, send):
    """Variables of the context are the request's own, also over waits."""
    before = LOCAL.get()
    LOCAL.set(name_of(scope))
    await asyncio.sleep(0.01)
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.01)
    task = asyncio.current_task()
    await answer(send, json.dumps([before, LOCAL.get(), task in asyncio.all_tasks(), task.get_coro().cr_code.co_name]))


@page
async def life(scope, receive, send):
    await answer(send, json.dumps({**LIFE, "pid": os.getpid(), "loop": type(asyncio.get_running_loop()).__module__}))


@page
async def tasks(scope, receive, send):
    """How many requests' tasks there are beside this one and lifespan's, and how many descriptors."""
    await answer(send, f"{sum(len(asyncio.all_tasks(loop)) for loop in list(LOOPS)) - 2} {len(os.listdir('/proc/self/fd'))}")


async def lifespan(scope, receive, send):
    if MEETING:
        with io.open(MEETING + "/starts", "a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    assert (await receive())["type"] == "lifespan.startup"
    await asyncio.sleep(0.1)  # a request that came meanwhile would be seen
    LIFE["startups"] += 1
    LIFE["started"] = True
    LOOPS.add(asyncio.get_running_loop())
    scope["state"].update({"list": [], "asgi": scope["asgi"]["version"]})
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    await asyncio.sleep(0.01)
    print("shutdown with", sorted(scope["state"]), "and", len(asyncio.all_tasks()), "tasks", file=sys.stderr, flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    LOOPS.add(asyncio.get_running_loop())
    if not LIFE["started"]:
        LIFE["early"] += 1
    if scope["type"] == "websocket":
        return await asgi_sockets.application(scope, receive, send, note, shown, gate_of(scope))
    path = scope["path"][len(scope["root_path"]):]
    return await PAGES.get(path, PAGES["/scope"])(scope, receive, send)


def double(scope):
    """The same as ASGI 2 has it."""
    async def instance(receive, send):
        await application(scope, receive, send)

    return instance
