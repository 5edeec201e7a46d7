from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import FileResponse, Response

from contract import CONTENT, fail, greeting, greeting_url, told, watched


def greet(request):
    return Response(greeting(request.GET["name"]), content_type="text/plain", charset="utf-8")


def form(request):
    return HTTPFound(greeting_url(request.POST["name"]))


def upload(request):
    file = request.POST["file"]
    return Response(told(file.filename, file.file))


def send(request):
    return FileResponse(CONTENT, request=request)


def error(request):
    fail()


with Configurator() as config:
    views = {"/": greet, "/form": form, "/upload": upload, "/file": send, "/error": error}
    for path, view in views.items():
        config.add_route(path, path)
        config.add_view(view, route_name=path, request_method="POST" if view in (form, upload) else "GET")
    application = watched(config.make_wsgi_app())
