"""The application that the slow clients meet: a quick answer, a large one, and an upload."""

LARGE = b"x" * (1 << 20)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/upload":
        body = str(len(environ["wsgi.input"].read())).encode()
    elif path == "/large":
        body = LARGE
    else:
        body = b"quick"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
