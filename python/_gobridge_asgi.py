"""ASGI: the event loops and the application's lifespan. Requests are C's (asgi.c)."""

import contextvars
import fcntl
import functools
import importlib
import operator
import os
import stat
import sys
import types

from _gobridge import report, say, sayable, text_of


asyncio = None  # imported when there is an ASGI application: it takes time and memory


class Wrong(Exception):
    """Why the application cannot be served; its text is for the user."""


# ---- The application, as ASGI 3 calls it.


class DoubleCallable:
    """An ASGI 2 application: application(scope) returns what is called with receive and send."""

    def __init__(self, application):
        self.application = application

    def __call__(self, scope, receive, send):
        return self.application(scope)(receive, send)


def as_websocket(scope):
    """Make the scope of a WebSocket's handshake out of that of its request."""
    scope["type"] = "websocket"
    scope["scheme"] = "wss" if scope["scheme"] in ("https", "wss") else "ws"
    del scope["method"]
    lists = [value.decode("latin-1") for name, value in scope["headers"] if name == b"sec-websocket-protocol"]
    scope["subprotocols"] = [each for each in (item.strip() for item in ",".join(lists).split(",")) if each]
    scope["extensions"]["websocket.http.response"] = {}  # beside what a web server has sent


def tls_extension(variables):
    """What scope["extensions"]["tls"] is (asgiref, TLS extension 0.2), of texts as in an environ."""
    end = "-----END CERTIFICATE-----\n"
    chain = variables["client_cert_chain"].split(end)[:-1]
    name = variables["client_cert_name"].encode("latin-1").decode("utf-8", "replace")
    return {
        "server_cert": variables["server_cert"],
        "client_cert_chain": [each + end for each in chain],
        "client_cert_name": name if chain else None,
        "client_cert_error": None,
        "tls_version": int(variables["tls_version"]),
        "cipher_suite": int(variables["cipher_suite"]),
    }


def is_disconnect(exception):
    """Does it come from what the application was told: that its client has left?

    That is the OSError of a send, or what frameworks make of websocket.disconnect.
    """
    seen, todo = set(), [exception]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) or type(one).__name__ == "WebSocketDisconnect":
            return True
        todo += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return False


# ---- Other threads.


def defer(function, *arguments):
    """What receive and send return in a thread without a loop, where asgiref and others make what they await elsewhere.

    With a coroutine function nothing would have been called yet, so nothing is here.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("receive and send, and what they return, are for the thread of the event loop: use asyncio.run_coroutine_threadsafe")
    return deferred(function, arguments)


async def deferred(function, arguments):
    return await function(*arguments)


# ---- The loop.


def new_loop(kind):
    """A loop and its name."""
    found = loop_of_import(kind)
    if found is not None:
        return found, name_of(found)
    if kind != "asyncio":
        uvloop = import_uvloop(kind)
        if uvloop is not None:
            return uvloop.new_event_loop(), "uvloop"
    if kind == "asyncio":
        return asyncio.SelectorEventLoop(), "asyncio"
    loop = asyncio.new_event_loop()  # of the application's own policy, if it has set one
    return loop, name_of(loop)


def name_of(loop):
    return type(loop).__module__.partition(".")[0]


def loop_of_import(kind):
    """The loop of this thread that the application's import has made, or None if another one is to serve.

    What it has begun there (asyncio.get_event_loop().create_task) would not go on in another one, and until Python
    3.9 its locks and queues belong to it. One that has no use takes nobody's uvloop away. One that was made
    before a fork would share its selector with other workers.
    """
    policy = getattr(asyncio.events, "_event_loop_policy", None)  # asking for the loop by its name could make one
    loop = getattr(getattr(policy, "_local", None), "_loop", None)
    if loop is None or loop.is_closed() or os.getpid() != importer or kind not in ("auto", name_of(loop)):
        return None
    is_first_choice = kind != "auto" or name_of(loop) == "uvloop" or import_uvloop(kind) is None
    is_used = sys.version_info < (3, 10) or getattr(loop, "_ready", None) or getattr(loop, "_scheduled", None)
    return loop if is_first_choice or is_used else None


def import_uvloop(kind):
    try:
        return importlib.import_module("uvloop")
    except ImportError as error:
        if kind == "uvloop":
            raise Wrong(f"--loop uvloop: {error}. Install it ({sys.executable} -m pip install uvloop), or use --loop asyncio") from None
        return None


# Exceptions in a row with which a loop has ended without having called anything. The next ones would be the same: its
# selector is broken.
MOST_VAIN = 10


class Runner:
    """One of a worker's loops, from its start to its end."""

    def __init__(self, application, kind, lifespan, version):
        self.application = application
        self.kind = kind
        self.version = version
        self.state = {}
        self.lifespan = None if lifespan == "off" else Lifespan(self, lifespan == "on")
        self.loop = None
        self.vain = 0  # exceptions that came through it since it has called something

    def beside(self):
        """One for another loop of the same worker, whose lifespan is this one's."""
        other = Runner(self.application, self.kind, "off", self.version)
        other.state = self.state
        return other

    def start(self):
        """Make this thread's loop and have the application start; the loop's name."""
        self.loop, name = new_loop(self.kind)
        asyncio.set_event_loop(self.loop)
        if self.lifespan is not None:
            self.loop.run_until_complete(self.lifespan.startup())
        return name

    def serve(self, bell_fd, bell, stopped, running):
        """Run until the worker has drained, and end the loop in order."""
        self.loop.add_reader(bell_fd, bell)
        self.loop.call_soon(running)
        while True:
            # What came before; tasks begin eagerly only while the loop runs. And it may have been told to end in the
            # very round that an exception has ended, or the application has: the loop does not remember.
            self.loop.call_soon(bell)
            if self.run_on() and stopped():
                break
        self.loop.remove_reader(bell_fd)
        self.finish()

    def run_on(self):
        """Run the loop until it is stopped. False: an exception of a task, or a signal's handler, came through."""
        self.loop.call_soon(self.note_round)
        try:
            self.loop.run_forever()
            return True
        except BaseException as error:  # pylint: disable=broad-except
            self.vain += 1
            if self.vain == MOST_VAIN:
                raise
            if self.vain == 1:
                wants = isinstance(error, (SystemExit, KeyboardInterrupt))
                what = "a task of the application wants the process to end" if wants else "an exception came through the event loop"
                report(f"gobridge[{os.getpid()}]: {what}; it goes on\n", error)
            return False

    def note_round(self):
        """The loop does call what is due."""
        self.vain = 0

    def finish(self):
        """The application's shutdown, and then all that asyncio.run does at its end."""
        run = self.loop.run_until_complete
        try:
            if self.lifespan is not None:
                run(self.lifespan.shutdown())
            run(self.cancel_rest())
            run(self.loop.shutdown_asyncgens())
            run(self.loop.shutdown_default_executor())
        except BaseException as error:  # pylint: disable=broad-except
            report(f"gobridge[{os.getpid()}]: the event loop did not end in order\n", error)
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    async def cancel_rest(self):
        """Cancel the tasks that the application has left, and wait for them."""
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        for task, ended in zip(rest, await asyncio.gather(*rest, return_exceptions=True)):
            if isinstance(ended, Exception):
                self.loop.call_exception_handler({"message": "a task failed at the end", "exception": ended, "task": task})


# ---- Lifespan (asgiref, lifespan 2.0).


class Lifespan:
    """The application's one call with the scope of type lifespan, in a task of its own."""

    def __init__(self, runner, needed):
        self.runner = runner
        self.needed = needed  # --lifespan on: an application without it is an error
        self.task = None
        self.asked = 0  # how often receive was called
        self.stop = self.started = self.ended = None  # events: tell it to shut down, and what it has said
        self.failure = None  # the message of startup.failed or shutdown.failed
        self.error = None  # what it has raised

    async def startup(self):
        self.stop, self.started, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self.run())
        await self.started.wait()
        if self.failure is not None:
            raise Wrong(f"the application's startup failed{with_text(self.failure)}")
        if self.task is not None and not self.ended.is_set():
            return
        if self.needed:
            raise Wrong(f"--lifespan on: the application {self.what_it_did()}")
        if self.error is not None and self.asked:
            report(f"gobridge[{os.getpid()}]: the application {self.what_it_did('lifespan')}; it is served without\n", self.error)

    def what_it_did(self, of=""):
        if self.error is None:
            return "returned before its startup was complete"
        return f"raised an exception in its {of or 'lifespan'}" + ("" if of else ":\n" + text_of(self.error))

    async def run(self):
        version = {"version": self.runner.version, "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": version, "state": self.runner.state}
        try:
            await self.runner.application(scope, self.receive, self.send)
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error
            if self.started.is_set() and self.failure is None and not self.stop.is_set():
                report(f"gobridge[{os.getpid()}]: the application's lifespan has failed while it serves; it goes on without\n", error)
        finally:
            self.ended.set()
            self.started.set()

    async def receive(self):
        self.asked += 1
        if self.asked == 1:
            return {"type": "lifespan.startup"}
        await self.stop.wait()
        if self.asked == 2:
            return {"type": "lifespan.shutdown"}
        return await asyncio.get_running_loop().create_future()  # there is nothing more to come

    async def send(self, message):
        kind = message["type"]
        if kind in ("lifespan.startup.complete", "lifespan.startup.failed"):
            if self.started.is_set():
                raise RuntimeError(f"{kind} was sent after the startup")
            if kind.endswith("failed"):
                self.failure = str(message.get("message", ""))
            self.started.set()
        elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            if not self.stop.is_set() or self.ended.is_set():
                raise RuntimeError(f"{kind} was sent at the wrong time")
            if kind.endswith("failed"):
                self.failure = str(message.get("message", ""))
            self.ended.set()
        else:
            raise ValueError(f"send does not know messages of type {kind!r} in lifespan")

    async def shutdown(self):
        if self.ended.is_set():
            return  # it has no lifespan, or has left it
        self.stop.set()
        await self.ended.wait()
        if self.failure is not None:
            say(f"gobridge[{os.getpid()}]: the application's shutdown failed{with_text(self.failure)}\n")
        elif self.error is not None:
            report(f"gobridge[{os.getpid()}]: the application failed in its shutdown\n", self.error)


def with_text(message):
    return ": " + message.rstrip("\n") if message else ""


# ---- Files (asgiref, zero copy send).


def file_part(file, offset, count):
    """A new descriptor of an open file, and offset and length of the part of it that is meant.

    Without an offset it begins where the file is, and the file is behind it then, as os.sendfile has it.
    """
    file = getattr(file, "buffer", file)  # of a text file: its bytes
    descriptor = file if isinstance(file, int) else file.fileno()
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
        raise ValueError(f"http.response.zerocopysend takes a regular file that is open for reading, not {file!r}")
    start = place(file) if offset is None else operator.index(offset)
    length = max(status.st_size - start, 0)
    if count is not None:
        length = min(length, operator.index(count))
    if start < 0 or length < 0:
        raise ValueError(f"http.response.zerocopysend cannot send {count!r} bytes from {offset!r} on")
    if offset is None:
        place(file, start + length)
    return os.dup(descriptor), start, length


def place(file, to=None):
    """Where a file is, after it was moved."""
    if isinstance(file, int) or not hasattr(file, "seek"):
        descriptor = file if isinstance(file, int) else file.fileno()
        return os.lseek(descriptor, 0, os.SEEK_CUR) if to is None else os.lseek(descriptor, to, os.SEEK_SET)
    return file.tell() if to is None else file.seek(to)


# ---- What C calls.

runner = None  # of the main thread's loop
context = None  # of the main thread, when it had started
importer = None  # the pid of the process that has imported the application


def asgi_prepare(application, interface, kind, lifespan):
    """Import what the loop needs, in the process that workers are forked from. None, or why not."""
    global asyncio, runner, importer  # pylint: disable=global-statement
    importer = os.getpid()
    asyncio = importlib.import_module("asyncio")
    version = "3.0"
    if interface == "asgi2":
        application, version = DoubleCallable(application), "2.0"
    try:
        if kind != "asyncio":
            import_uvloop(kind)
    except Wrong as wrong:
        return sayable(str(wrong))
    runner = Runner(application, kind, lifespan, version)
    return None


def asgi_start():
    """All that C needs to know of the main thread's started loop, or a str that says why it is none."""
    global context  # pylint: disable=global-statement
    try:
        name = runner.start()
    except Wrong as wrong:
        return sayable(str(wrong))
    except BaseException as error:  # pylint: disable=broad-except
        return sayable(f"the application could not start:\n{text_of(error)}")
    context = contextvars.copy_context()
    return described(runner, name, runner.serve)


def asgi_loops(threads):
    """How many loops there are to be: more than one have a use only where there is no GIL."""
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)
    return 1 if has_gil() else threads


def asgi_join():
    """As asgi_start, of another thread's loop. Its tasks see the variables that the import has set, too."""
    other = runner.beside()
    name = other.start()
    return described(other, name, functools.partial(context.copy().run, other.serve))


def loop_failed(number, count, what, error):
    """What the front is told of a loop that cannot go on."""
    which = f"event loop {number} of {count}" if count > 1 else "the event loop"
    return sayable(f"{which} {what}:\n{text_of(error)}")


def described(one, name, serve):
    arguments = {"loop": one.loop, "eager_start": True} if sys.version_info >= (3, 12) else None
    return (name, serve, one.loop, one.version, one.state, asyncio.Task, arguments, asyncio.CancelledError,
            types.CoroutineType, one.application)
