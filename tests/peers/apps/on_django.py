"""The application of the comparison, with Django; noting.py says what its pages are."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import re_path

import noting

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="only for tests", USE_TZ=True, MIDDLEWARE=[])
TEXT = {"content_type": "text/plain"}
urlpatterns = []


def page(path):
    def add(view):
        urlpatterns.append(re_path(f"^{path}$", view))
        return view
    return add


def number(request):
    return int(request.META["QUERY_STRING"])


def case(request):
    return request.META["HTTP_X_CASE"]


@page("form")
def form(request):
    files = [(name, f.name, f.content_type, f.read()) for name, all in request.FILES.lists() for f in all]
    return HttpResponse(noting.form(((name, value) for name, all in request.POST.lists() for value in all), files))


@page("unread")
def unread(request):
    return HttpResponse("not read")


@page("early")
def early(request):
    return StreamingHttpResponse(noting.early(case(request), request.read), **TEXT)


@page("size")
def size(request):
    return HttpResponse(b"x" * number(request), headers={"Content-Length": str(number(request))}, **TEXT)


@page("stream")
def stream(request):
    return StreamingHttpResponse(noting.stream(number(request)), **TEXT)


@page("short")
def short(request):
    return StreamingHttpResponse([b"short"], headers={"Content-Length": "10"}, **TEXT)


@page("long")
def long(request):
    return StreamingHttpResponse([b"much too long"], headers={"Content-Length": "4"}, **TEXT)


@page("status")
def status(request):
    return HttpResponse(b"" if number(request) in (204, 304) else b"status", status=number(request), **TEXT)


@page("redirect")
def away(request):
    return HttpResponseRedirect("/elsewhere?a=b")


@page("cookies")
def cookies(request):
    response = HttpResponse("cookies")
    response.set_cookie("one", "1", httponly=True)
    response.set_cookie("two", "zwei; \u00fc")
    return response


@page("own")
def own(request):
    return HttpResponse("own", headers=dict(noting.OWN))


@page("head")
def head(request):
    return HttpResponse("head", headers={"X-Long": "h" * number(request)})


@page("packed")
def packed(request):
    return HttpResponse(noting.PACKED, headers={"Content-Encoding": "gzip"}, **TEXT)


@page("file")
def file(request):
    return FileResponse(open(noting.__file__, "rb"), content_type="text/x-python")


@page("fails")
def fails(request):
    raise RuntimeError("fails")


@page("fails-late")
def fails_late(request):
    return StreamingHttpResponse(noting.late(), **TEXT)


@page("endless")
def endless(request):
    return StreamingHttpResponse(noting.endless(case(request)), **TEXT)


@page(".*")
def told(request):
    return HttpResponse(noting.told(request.method, noting.reading(case(request), request.read)), **TEXT)


application = noting.WSGI(get_wsgi_application())
