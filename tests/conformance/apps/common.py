"""What the pages of the checks share: a table of pages, notes, gates.

A page is a WSGI application under its function's name. What it is asked with, its
QUERY_STRING, is also the name of its notes and of its gate, so that checks do not meet.
"""

import threading

PAGES = {}
NOTES = {}
GATES = {}
PATIENCE = 120  # seconds after which whoever should have opened a gate has failed


def page(function):
    PAGES["/" + function.__name__] = function
    return function


# Two threads may be the first to ask for the same one: setdefault has them share it, which a
# defaultdict does not. There each may make one, and one of them would wait at a gate of its own.


def notes_of(name):
    return NOTES.setdefault(name, [])


def gate(name):
    return GATES.setdefault(name, threading.Event())


def note(environ, text):
    notes_of(environ["QUERY_STRING"]).append(text)


def wait(name):
    """Wait until the page open is asked for the gate."""
    if not gate(name).wait(PATIENCE):
        raise TimeoutError(name)


def answer(start_response, text, status="200 OK", headers=()):
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
    return [text.encode()]


@page
def notes(environ, start_response):
    return answer(start_response, "".join(text + "\n" for text in notes_of(environ["QUERY_STRING"])))


@page
def open(environ, start_response):
    gate(environ["QUERY_STRING"]).set()
    return answer(start_response, "open")


@page
def hello(environ, start_response):
    """It does not read its body."""
    return answer(start_response, "hello")


@page
def echo(environ, start_response):
    """It reads all of it."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [environ["wsgi.input"].read()]
