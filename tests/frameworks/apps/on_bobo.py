import bobo
import webob.static

from contract import CONTENT, fail, greeting, greeting_url, told, watched


@bobo.query("/", content_type="text/plain; charset=utf-8")
def greet(name):
    return greeting(name)


@bobo.post("/form")
def form(name):
    return bobo.redirect(greeting_url(name))


@bobo.post("/upload", content_type="text/plain; charset=utf-8")
def upload(file):
    return told(file.filename, file.file)


@bobo.query("/file")
def send(bobo_request):
    return bobo_request.get_response(webob.static.FileApp(CONTENT))


@bobo.query("/error")
def error():
    fail()


application = watched(bobo.Application(bobo_resources=__name__))
