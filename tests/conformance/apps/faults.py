"""Pages of applications at fault, and of clients that leave."""

import gc
import os
import sys
import weakref

from common import NOTES, answer, note, page, wait

LEFT = {}


@page
def fails(environ, start_response):
    """An exception, or a wrong body, before anything is sent."""
    name, how = environ["QUERY_STRING"].split("&")
    kinds = {
        "error": ValueError(name), "exit": SystemExit(name), "interrupt": KeyboardInterrupt(name),
        "generator": GeneratorExit(name), "base": BaseException(name), "recursion": None,
    }
    if how == "recursion":
        return fails(environ, start_response)
    if how in kinds:
        raise kinds[how]
    start_response("200 OK", [("X-First", "1")])
    return {"none": None, "text": "text", "bytes": b"bytes", "number": 5, "nones": [None], "texts": ["text"],
            "later": iter([b"", "text"]), "arrays": [bytearray(b"x")]}[how]


@page
def fails_later(environ, start_response):
    name, how = environ["QUERY_STRING"].split("&")
    start_response("200 OK", [("Content-Length", "10")] if how == "counted" else [])
    yield b"out"
    if how == "exit":
        sys.exit(name)
    if how == "text":
        yield "text"
    raise ValueError(name)


class Token:
    """In environ, to see whether that is gone."""


@page
def computes(environ, start_response):
    """Goes on, and writes, when its client has left."""
    name = environ["QUERY_STRING"]
    environ["token"] = token = Token()
    LEFT[name] = weakref.ref(token)
    note(environ, "computing")
    wait(name)
    write = start_response("200 OK", [])
    try:
        for _ in range(1000):
            write(bytes(65536))
        note(environ, "all is dropped")
    except OSError:
        note(environ, "write raised OSError")
    note(environ, "finished")
    return []


@page
def left(environ, start_response):
    """Descriptors that are open, and whether environ of the request above is still there."""
    gc.collect()
    there = [name for name, token in LEFT.items() if token() is not None]
    return answer(start_response, f"{len(os.listdir('/proc/self/fd'))} {len(there)} {len(NOTES) > 0}")
