"""Files sent through wsgi.file_wrapper: by plain WSGI, by Flask and by Django.

The file is CONTENT. What each plain page does is its docstring.
"""

import os
import tempfile
import time

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse
from django.urls import path
from flask import Flask, send_file

CONTENT = os.environ["CONTENT"]
SIZE = os.path.getsize(CONTENT)


def note(line):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:
        notes.write(line + "\n")


class Slow:
    """A file that takes its time to close."""

    def __init__(self):
        self.file = open(CONTENT, "rb")
        self.read, self.fileno, self.tell = self.file.read, self.file.fileno, self.file.tell

    def close(self):
        note(f"closing {os.getpid()}")
        time.sleep(600)


def whole(headers):
    """All of it; nobody says the length."""
    return "200 OK", open(CONTENT, "rb")


def part(headers):
    """A range that the application has set by itself."""
    file = open(CONTENT, "rb")
    file.seek(1000)
    headers += [("Content-Length", "20000000"), ("Content-Range", f"bytes 1000-20000999/{SIZE}")]
    return "206 Partial Content", file


def unlinked(headers):
    """A temporary file without a name."""
    file = tempfile.TemporaryFile()
    with open(CONTENT, "rb") as content:
        file.write(content.read())
    file.seek(0)
    return "200 OK", file


def slow(headers):
    return "200 OK", Slow()


def shrinking(headers):
    """Shorter, when it is closed, than it was."""
    file = tempfile.TemporaryFile()
    file.truncate(SIZE)
    copy = os.dup(file.fileno())

    class Shrinking:
        read = file.read

        def close(self):
            os.truncate(copy, 0)
            os.close(copy)
            note("shrunk yes")

    return "200 OK", Shrinking()


flask = Flask(__name__)


@flask.get("/flask")
def by_flask():
    return send_file(CONTENT, mimetype="application/octet-stream", conditional=True)


settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="only for a test")
django.setup()
urlpatterns = [path("django", lambda request: FileResponse(open(CONTENT, "rb"), content_type="application/octet-stream"))]
by_django = get_wsgi_application()


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    if name == "flask":
        return flask(environ, start_response)
    if name == "django":
        return by_django(environ, start_response)
    headers = [("Content-Type", "application/octet-stream")]
    if name == "pid":
        start_response("200 OK", headers)
        return [str(os.getpid()).encode()]
    status, file = {"whole": whole, "part": part, "unlinked": unlinked, "slow": slow, "shrinking": shrinking}[name](headers)
    start_response(status, headers)
    return environ["wsgi.file_wrapper"](file)
