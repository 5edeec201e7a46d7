"""The smallest application: gobridge run app:application"""


def application(environ, start_response):
    """Answer every path; /environ shows what the server passed in."""
    if environ["PATH_INFO"] == "/environ":
        lines = sorted(f"{name} = {value!r}" for name, value in environ.items())
        body = "\n".join(lines).encode() + b"\n"
    else:
        body = b"Hello from gobridge!\n"
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
