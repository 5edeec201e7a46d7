import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from contract import CONTENT, fail, greeting, greeting_url, told, watched

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    LOGGING={
        "version": 1,
        "handlers": {"stderr": {"class": "logging.StreamHandler"}},
        "loggers": {"django": {"handlers": ["stderr"], "level": "WARNING"}},
    },
)
django.setup()


@require_GET
def greet(request):
    return HttpResponse(greeting(request.GET["name"]), content_type="text/plain; charset=utf-8")


@require_POST
def form(request):
    return HttpResponseRedirect(greeting_url(request.POST["name"]))


@require_POST
def upload(request):
    file = request.FILES["file"]
    return HttpResponse(told(file.name, file))


def send(request):
    return FileResponse(open(CONTENT, "rb"))


def error(request):
    fail()


urlpatterns = [path("", greet), path("form", form), path("upload", upload), path("file", send), path("error", error)]
application = watched(WSGIHandler())
