"""What each application of this folder has in common. All show the same pages:

GET  /?name=N   a greeting
POST /form      the field name; leads to the greeting, or is the greeting
POST /upload    the file in the field file: its name, size and SHA-256
GET  /file      the file that CONTENT names
GET  /error     fails
"""

import hashlib
import os
import sys
from urllib.parse import quote

CONTENT = os.environ["CONTENT"]


def greeting(name):
    return f"Hello, {name}!"


def greeting_url(name):
    return "/?name=" + quote(name)


def told(name, file):
    """What /upload answers of a binary file that was opened for reading."""
    digest, size = hashlib.sha256(), 0
    while piece := file.read(1 << 16):
        digest.update(piece)
        size += len(piece)
    return f"{name} {size} {digest.hexdigest()}"


def fail():
    raise RuntimeError("a page that fails")


def watched(application):
    """The application, of which it is noted when it hands a file over to the server. What it
    returns is left as it is, so that the server sees the same object."""

    def watching(environ, start_response):
        answer = application(environ, start_response)
        if isinstance(answer, environ["wsgi.file_wrapper"]):
            print("handed over:", environ["PATH_INFO"], file=sys.stderr, flush=True)
        return answer

    return watching
