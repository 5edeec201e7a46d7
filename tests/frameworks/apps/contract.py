"""What each application of this folder has in common. All show the same pages:

GET  /?name=N   a greeting
POST /form      the field name; leads to the greeting, or is the greeting
POST /upload    the file in the field file: its name, size and SHA-256
GET  /file      the file that CONTENT names
GET  /error     fails

and these, if they are ASGI's:

GET  /stream    as many lines as ?lines says, a number in each, sent one by one
GET  /later     "soon", and when that is sent, ?what is written to standard error
/echo           a WebSocket that greets whatever name it is sent
"""

import asyncio
import hashlib
import os
import sys
from urllib.parse import quote

CONTENT = os.environ["CONTENT"]


def greeting(name):
    return f"Hello, {name}!"


def greeting_url(name):
    return "/?name=" + quote(name)


def told(name, file):
    """What /upload answers of a binary file that was opened for reading."""
    digest, size = hashlib.sha256(), 0
    while piece := file.read(1 << 16):
        digest.update(piece)
        size += len(piece)
    return f"{name} {size} {digest.hexdigest()}"


def fail():
    raise RuntimeError("a page that fails")


def watched(application):
    """The application, of which it is noted when it hands a file over to the server. What it
    returns is left as it is, so that the server sees the same object."""

    def watching(environ, start_response):
        answer = application(environ, start_response)
        if isinstance(answer, environ["wsgi.file_wrapper"]):
            print("handed over:", environ["PATH_INFO"], file=sys.stderr, flush=True)
        return answer

    return watching


def noted(application):
    """An ASGI application, of which it is noted when it hands a file over to the server."""

    async def noting(scope, receive, send):
        async def note(message):
            if message["type"] == "http.response.pathsend":
                print("handed over:", scope["path"], file=sys.stderr, flush=True)
            await send(message)

        await application(scope, receive, note if scope["type"] == "http" else send)

    return noting


def numbered(count):
    for i in range(count):
        yield f"{i}\n"


async def numbered_slowly(count):
    """The same, which lets others have the loop now and then."""
    for i, line in enumerate(numbered(count)):
        if i % 100 == 0:
            await asyncio.sleep(0)
        yield line


async def write_later(what):
    """A task that outlives its request."""
    await asyncio.sleep(0.01)
    print("later:", what, file=sys.stderr, flush=True)
