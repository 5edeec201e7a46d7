"""What web servers pass on by the uwsgi protocol, and how requests end."""

import hashlib
import json
import os


def environ_of(environ):
    """Answer with each variable that is a text."""
    return [json.dumps({name: value for name, value in environ.items() if isinstance(value, str)}).encode()]


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


PAGES = {"/unread": unread, "/body": body, "/early": early, "/endless": endless}


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return PAGES.get(environ["PATH_INFO"], environ_of)(environ)
