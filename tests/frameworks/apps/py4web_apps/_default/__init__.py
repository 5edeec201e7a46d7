import os

from ombott import static_file
from py4web import action, redirect, request, response

from contract import CONTENT, fail, greeting, greeting_url, told


@action("index", method="GET")
def greet():
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    return greeting(request.query.get("name"))


@action("form", method="POST")
def form():
    redirect(greeting_url(request.forms.get("name")))


@action("upload", method="POST")
def upload():
    file = request.files["file"]
    return told(file.raw_filename, file.file)


@action("file", method="GET")
def send():
    return static_file(os.path.basename(CONTENT), os.path.dirname(CONTENT))


@action("error", method="GET")
def error():
    fail()
