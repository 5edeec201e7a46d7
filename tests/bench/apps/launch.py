"""Starts a server that is a library: launch.py SERVER MODULE:ATTRIBUTE PORT WORKERS."""

import importlib
import os
import sys

sys.path.insert(0, os.getcwd())


def bjoern(app, port, workers):
    """One process each, on one listening socket, as its documentation has them forked."""
    import bjoern as server

    server.listen(app, "127.0.0.1", port)
    for _ in range(workers - 1):
        if os.fork() == 0:
            break
    server.run()


def bjoern_ports(app, port, workers):
    """One process each, and a listening socket of its own: the kernel deals the connections out."""
    import bjoern as server

    for _ in range(workers - 1):
        if os.fork() == 0:
            break
    server.run(app, "127.0.0.1", port, reuse_port=True)


def fastpysgi(app, port, workers):
    import fastpysgi as module

    module.server.tcp_nodelay = 1
    module.run(app, "127.0.0.1", port, workers=workers)


def fastpysgi_uvloop(app, port, workers):
    """Its own loop calls that of asyncio, or this one. A fork would share it: one worker."""
    import fastpysgi as module
    import uvloop

    module.server.loop = uvloop.new_event_loop()
    fastpysgi(app, port, workers)


def main():
    name, application, port, workers = sys.argv[1:]
    module, _, attribute = application.partition(":")
    app = getattr(importlib.import_module(module), attribute)
    try:
        {"bjoern": bjoern, "bjoern-ports": bjoern_ports, "fastpysgi": fastpysgi, "fastpysgi-uvloop": fastpysgi_uvloop}[name](app, int(port), int(workers))
    except KeyboardInterrupt:
        pass


main()
