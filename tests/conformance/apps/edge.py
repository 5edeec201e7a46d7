"""The application that the checks of HTTP ask: gobridge run edge

A page is a function; its name is the path. Any other path answers with environ.
"""

TEXT = ("Content-Type", "text/plain")


def answer(start_response, text, status="200 OK", headers=()):
    body = text.encode("latin-1")
    start_response(status, [TEXT, ("Content-Length", str(len(body))), *headers])
    return [body]


def environ_page(environ, start_response):
    lines = sorted(f"{name} = {value!a}\n" for name, value in environ.items())
    return answer(start_response, "".join(lines))


def hello(environ, start_response):
    """Does not read its body."""
    return answer(start_response, "hello")


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def no_content(environ, start_response):
    start_response("204 No Content", [("Content-Length", "4")])
    return [b"body"]


def not_modified(environ, start_response):
    start_response("304 Not Modified", [("Content-Length", "4")])
    return [b"body"]


def pieces(environ, start_response):
    """A body of unknown length."""
    start_response("200 OK", [TEXT])
    yield b"one,"
    yield b"two"


def long(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "3")])
    yield b"on"
    yield b"e and more"


def short(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return [b"short"]


def big(environ, start_response):
    """As many bytes as the query says."""
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Length", str(size))])
    return (b"x" * min(65536, size - at) for at in range(0, size, 65536))


def hop_by_hop(environ, start_response):
    names = ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"]
    return answer(start_response, "hello", headers=[(name, "x") for name in names])


def own_fields(environ, start_response):
    return answer(start_response, "hello", headers=[("dATE", "yesterday"), ("sERVER", "mine"), ("x-eXTRA", "mine")])


def injects(environ, start_response):
    """A header made of the query, in which a pipe stands before what is escaped."""
    name, _, value = environ["QUERY_STRING"].replace("|n", "\n").replace("|r", "\r").replace("|0", "\0").partition("=")
    return answer(start_response, "hello", headers=[(name, value)])


def fails(environ, start_response):
    raise ValueError("on purpose")


def crashes(environ, start_response):
    import os

    os._exit(1)


PAGES = {
    "/" + f.__name__: f
    for f in (hello, echo, no_content, not_modified, pieces, long, short, big, hop_by_hop, own_fields, injects, fails, crashes)
}


def application(environ, start_response):
    return PAGES.get(environ["PATH_INFO"], environ_page)(environ, start_response)
