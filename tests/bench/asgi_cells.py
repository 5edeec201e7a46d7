"""The cells of ASGI: which jobs are measured by make bench-asgi. One worker where nothing else is said."""

import goals
from cell import ASGI, Cell
from load import Load
from loop import LoopCell
from websocket import OpenCell, SocketCell

TEN_KB = b"0123456789abcde\n" * 640
POST = Load(method="POST", headers=(("Content-Type", "application/octet-stream"),), body=TEN_KB)
SIZES = {"50k": 50 << 10, "5m": 5 << 20}  # of the files in build/bench/files
JSON = b'{"message":"Hello, world!"}'
CONNECTIONS = (1, 8, 64, 512)
FEW = 3  # rounds, so that all of it takes less than 20 minutes

EVERYBODY = ("gobridge", "uvicorn", "granian", "granian-st", "hypercorn", "gunicorn", "fastpysgi")
FAST = ("gobridge", "uvicorn", "granian", "fastpysgi")
LOGGING = tuple(name for name in EVERYBODY if name != "fastpysgi")
SENDING = ("gobridge", "granian", "granian-st")  # who announces http.response.pathsend
SOCKETS = LOGGING  # who has WebSockets


def content(size):
    """A file's bytes."""
    return (TEN_KB * (size // len(TEN_KB) + 1))[:size]


def asgi(name, title, named, wanted=(), kind=Cell, all=EVERYBODY, **more):
    if issubclass(kind, Cell):
        more = dict({"interface": "asgi", "workers": 1}, **more)
    return kind(name, title, named, wanted, all=all, part=ASGI, **more)


def fastapi(name, title, workers=1, logged=False, wanted=()):
    return asgi(name, title, ("gobridge", "uvicorn", "granian"), wanted, application="fastapied:app", body=JSON, workers=workers, logged=logged,
                all=LOGGING if logged else EVERYBODY, most=FEW if logged else 1000)


def sent(name, title):
    size = SIZES[name]
    return asgi("asgi-file-" + name, title, SENDING, (goals.times(1.2, "granian"),), all=SENDING, application="plain_asgi:files",
                body=content(size), loads=(Load(path="/" + name),), most=FEW)


TWICE = (goals.times(2, "uvicorn"), goals.times(1.15, "granian"), goals.cpu(0.85, "granian"))
AS_FAST = (goals.times(1.5, "uvicorn"), goals.times_the_best(1))

TABLE = (
    asgi("asgi-hello", "hello", EVERYBODY + ("fastpysgi-uvloop",), (goals.times_the_best(1.5), goals.cpu_of_the_best(0.65), goals.times(2.3, "uvicorn")),
         application="plain_asgi:hello"),
    asgi("asgi-connections", "hello, 1, 8, 64 and 512 connections", FAST,
         (goals.ratio_at_most(1, "gobridge at 1", "uvicorn at 1", "p50", "1 connection: p50 at most that of uvicorn"),),
         application="plain_asgi:hello", loads=tuple(Load(connections=n, label="at %d" % n) for n in CONNECTIONS), most=FEW),
    asgi("asgi-post", "POST echo of 10 KB", FAST + ("gunicorn",), (goals.times_the_best(1.5),), application="plain_asgi:echo",
         body=TEN_KB, loads=(POST,), most=FEW),
    fastapi("asgi-fastapi", "FastAPI, JSON", wanted=TWICE),
    fastapi("asgi-fastapi-2", "FastAPI, JSON, 2 workers", workers=2, wanted=TWICE),
    fastapi("asgi-fastapi-log", "FastAPI, JSON, access log", logged=True, wanted=(goals.times(1.5, "uvicorn"),)),
    sent("50k", "file of 50 KB by pathsend"),
    sent("5m", "file of 5 MB by pathsend"),
    asgi("asgi-echo", "WebSocket echo of 64 bytes, 64 clients", SOCKETS, AS_FAST, SocketCell, SOCKETS, most=FEW),
    asgi("asgi-broadcast", "WebSocket broadcast to 32 clients, each of which has one message on its way", SOCKETS, AS_FAST, SocketCell, SOCKETS,
         application="plain_asgi:ws_broadcast", mode="broadcast", connections=32, most=FEW),
    asgi("asgi-open", "9,900 idle WebSockets, each of which has sent and received 64 KiB", ("gobridge", "uvicorn", "granian", "hypercorn"),
         (goals.at_most(250, goals.OURS, "grown", "10,000 take under 250 MB more than none"), goals.least("grown", "less than any peer")), OpenCell, SOCKETS),
    asgi("asgi-timer", "a timer of 10 ms on the loop, 64 connections on hello", ("gobridge", "uvicorn"),
         (goals.ratio_at_most(1, "gobridge", "uvicorn", "p99", "p99 lateness at most that in uvicorn"),), LoopCell),
)
