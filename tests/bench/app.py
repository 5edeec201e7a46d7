"""What the servers are measured with: a WSGI application that does nothing, and one in Flask."""

BODY = b"Hello, world!\n"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]


def hello(environ, start_response):
    start_response("200 OK", list(HEADERS))
    return [BODY]


def __getattr__(name):
    # Flask is imported only by who asks for it.
    if name != "flask":
        raise AttributeError(name)
    from flask import Flask

    application = Flask(__name__)
    application.add_url_rule("/", view_func=lambda: "Hello, world!\n")
    globals()["flask"] = application
    return application
