"""Applications as people write them, and which interface gobridge takes each for.

usage: python interfaces.py HELPER, the folder of gobridge's helper: prints JSON, of each its interface as it is
told, and what --interface may say of it.
"""

import functools
import json
import sys


async def hello(send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def asgi_function(scope, receive, send):
    await hello(send)


class Asgi:
    async def __call__(self, scope, receive, send):
        await hello(send)

    async def method(self, scope, receive, send):
        await hello(send)


class AsgiInPlainCall:
    """A middleware that only passes on."""

    def __call__(self, scope, receive, send):
        return asgi_function(scope, receive, send)


class AsgiOfRequests:
    """An instance for each request, that is awaited."""

    def __init__(self, scope, receive, send):
        self.send = send

    def __await__(self):
        return hello(self.send).__await__()


def decorated(application):
    @functools.wraps(application)
    def wrapper(*arguments, **more):
        return application(*arguments, **more)

    return wrapper


def wsgi_function(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]


class Wsgi:
    def __call__(self, environ, start_response):
        return wsgi_function(environ, start_response)


class WsgiOfRequests:
    def __init__(self, environ, start_response):
        start_response("200 OK", [])

    def __iter__(self):
        yield b"hello"


def wsgi_with_more(environ, start_response, exc_info=None):
    return wsgi_function(environ, start_response)


class Asgi2:
    """As Channels 2 had it."""

    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        await hello(send)


def anything(*arguments):
    """It is what it is said to be."""
    return asgi_function(*arguments) if len(arguments) == 3 else wsgi_function(*arguments) if len(arguments) == 2 else Asgi2(*arguments)


async def async_factory():
    return asgi_function


def factory():
    return asgi_function


def configured(setting, scope, receive, send):
    return asgi_function(scope, receive, send)


APPLICATIONS = {
    "async function": asgi_function,
    "object with an async call": Asgi(),
    "async method": Asgi().method,
    "object with a plain call of three": AsgiInPlainCall(),
    "class of requests that are awaited": AsgiOfRequests,
    "partial of an async function": functools.partial(asgi_function),
    "partial of a plain function": functools.partial(configured, "setting"),
    "decorated async function": decorated(asgi_function),
    "function of two": wsgi_function,
    "object with a call of two": Wsgi(),
    "class of requests that are iterated over": WsgiOfRequests,
    "function of two and more": wsgi_with_more,
    "decorated function of two": decorated(wsgi_function),
    "class that takes a scope": Asgi2,
    "function of anything": anything,
    "async factory": async_factory,
    "factory": factory,
}


def told(helper, application, wanted):
    try:
        return helper.interface_of(application, wanted, "application", "interfaces:application")
    except helper.Wrong:
        return "-"


def main():
    sys.path.append(sys.argv[1])
    import _gobridge
    json.dump({name: " ".join(told(_gobridge, application, wanted) for wanted in ("auto", "wsgi", "asgi", "asgi2"))
               for name, application in APPLICATIONS.items()}, sys.stdout)


if __name__ == "__main__":
    main()
