"""Talks with /echo of an application of ../apps: visit_echo.py ws://HOST:PORT [binary], where it takes bytes, too"""

import sys
from contextlib import ExitStack

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

NAMES = ["Ada", "Grüße aus Köln", "x" * 100_000, ""]

with connect(sys.argv[1] + "/echo", max_size=None) as socket:
    for name in NAMES:
        socket.send(name)
        answer = socket.recv(timeout=60)
        assert answer == f"Hello, {name}!", answer[:200]
    socket.send(["in ", "three ", "fragments"])
    answer = socket.recv(timeout=60)
    assert answer == "Hello, in three fragments!", answer
    if "binary" in sys.argv:
        socket.send(b"Ada")
        answer = socket.recv(timeout=60)
        assert answer == "Hello, b'Ada'!", answer

# Many at once, each with its own answers.
with ExitStack() as all:
    sockets = [all.enter_context(connect(sys.argv[1] + "/echo")) for _ in range(20)]
    for i, socket in enumerate(sockets):
        socket.send(str(i))
    for i, socket in enumerate(sockets):
        answer = socket.recv(timeout=60)
        assert answer == f"Hello, {i}!", answer
        socket.close()
        try:
            socket.recv(timeout=60)
            raise AssertionError("it is still open")
        except ConnectionClosed as e:
            assert e.rcvd and e.rcvd.code == 1000, e
