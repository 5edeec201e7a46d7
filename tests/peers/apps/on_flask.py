"""The application of the comparison, with Flask; noting.py says what its pages are."""

from flask import Flask, Response, redirect, request, send_file

import noting

app = Flask(__name__)
application = noting.WSGI(app)


def page(path):
    return app.route(path, methods=noting.METHODS, provide_automatic_options=False)


def number():
    return int(request.query_string)


def case():
    return request.headers["X-Case"]


def read():
    return request.stream.read()


@page("/")
@page("/<path:rest>")
def told(rest=""):
    return Response(noting.told(request.method, noting.reading(case(), read)), mimetype="text/plain")


@page("/form")
def form():
    files = [(name, f.filename, f.mimetype, f.read()) for name, f in request.files.items(multi=True)]
    return noting.form(request.form.items(multi=True), files)


@page("/unread")
def unread():
    return "not read"


@page("/early")
def early():
    name, stream = case(), request.stream
    return Response(noting.early(name, stream.read), mimetype="text/plain")


@page("/size")
def size():
    return Response(b"x" * number(), mimetype="text/plain")


@page("/stream")
def stream():
    return Response(noting.stream(number()), mimetype="text/plain")


@page("/short")
def short():
    return Response(iter([b"short"]), headers={"Content-Length": "10"}, mimetype="text/plain")


@page("/long")
def long():
    return Response(iter([b"much too long"]), headers={"Content-Length": "4"}, mimetype="text/plain")


@page("/status")
def status():
    return Response(b"" if number() in (204, 304) else b"status", status=number(), mimetype="text/plain")


@page("/redirect")
def away():
    return redirect("/elsewhere?a=b")


@page("/cookies")
def cookies():
    response = Response("cookies")
    response.set_cookie("one", "1", httponly=True)
    response.set_cookie("two", "zwei; \u00fc")
    return response


@page("/own")
def own():
    return Response("own", headers=noting.OWN)


@page("/head")
def head():
    return Response("head", headers={"X-Long": "h" * number()})


@page("/packed")
def packed():
    return Response(noting.PACKED, headers={"Content-Encoding": "gzip"}, mimetype="text/plain")


@page("/file")
def file():
    return send_file(noting.__file__, mimetype="text/x-python", conditional=True)


@page("/fails")
def fails():
    raise RuntimeError("fails")


@page("/fails-late")
def fails_late():
    return Response(noting.late(), mimetype="text/plain")


@page("/endless")
def endless():
    return Response(noting.endless(case()), mimetype="text/plain")
