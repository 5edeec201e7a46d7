"""The Django example, which says by itself that it is alive, and how long its import took.

A new worker's first page would also pay for what Django itself imports only then.
"""

import time

begin = time.perf_counter()

from mysite.wsgi import application as site  # noqa: E402

took = time.perf_counter() - begin


def application(environ, start_response):
    if environ["PATH_INFO"] != "/alive":
        return site(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{took * 1000:.1f}".encode()]
