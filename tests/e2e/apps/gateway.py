"""What web servers pass on by protocols of their own, and how requests end."""

import hashlib
import json
import os
import threading
import time


def environ_of(environ):
    """Answer with each variable that is a text, and with the process's own GATEWAY."""
    texts = {name: value for name, value in environ.items() if isinstance(value, str)}
    return [json.dumps({**texts, "process's": os.environ.get("GATEWAY")}).encode()]


def unread(environ):
    """Answer without a look at the body."""
    return [b"not read"]


def body(environ):
    content = environ["wsgi.input"].read()
    return [f"{len(content)} {hashlib.sha256(content).hexdigest()}".encode()]


def early(environ):
    """Begin the answer before the body is read."""
    yield b"x" * 10000
    yield str(len(environ["wsgi.input"].read())).encode()


def endless(environ):
    """Send until the client has gone, and note that."""
    try:
        while True:
            yield b"x" * 10000
    finally:
        with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
            notes.write(f"gone-{environ['QUERY_STRING']} yes\n")


def begun(environ):
    """Note who has begun the request, and say who answers it."""
    with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
        notes.write(f"begun-{environ['QUERY_STRING']} {os.getpid()}\n")
    time.sleep(0.02)
    return [str(os.getpid()).encode()]


def echo(environ):
    """Send the body back as it comes, without a length."""
    return iter(lambda: environ["wsgi.input"].read(50000), b"")


def chunks(environ):
    """Send without a length."""
    return (str(i).encode() for i in range(20000))


let_go = threading.Event()


def held(environ):
    """Send something, and the rest when somebody else has asked for /go."""
    let_go.clear()
    yield b"first"
    let_go.wait(60)
    yield b" last"


def hints(environ):
    """Hint at what a web server would take for the answer."""
    environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload")])
    return [b"after hints"]


def go(environ):
    let_go.set()
    return [b"go"]


PAGES = {
    "/begun": begun, "/unread": unread, "/body": body, "/early": early, "/endless": endless, "/echo": echo, "/chunks": chunks,
    "/held": held, "/go": go, "/hints": hints, "/moved": lambda environ: [b"moved"], "/none": lambda environ: [],
    "/counted": lambda environ: [b"x" * 1000000], "/file": lambda environ: environ["wsgi.file_wrapper"](open(__file__, "rb")),
}
STATUSES = {"/moved": "303 See Other", "/none": "204 No Content"}
HEADERS = {
    "/moved": [("Location", "/elsewhere"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/"), ("X-Own", "caf\xe9")],
    "/held": [("X-Accel-Buffering", "no")],
}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response(STATUSES.get(path, "200 OK"), [("Content-Type", "text/plain"), *HEADERS.get(path, [])])
    return PAGES.get(path, environ_of)(environ)
