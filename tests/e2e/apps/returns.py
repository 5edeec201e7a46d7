"""A fork whose child returns, as nothing tells it not to: it must end where the host takes over."""

import os


def application(environ, start_response):
    child = os.fork()
    if child == 0:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the child"]
    _, status = os.waitpid(child, 0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(status).encode()]
