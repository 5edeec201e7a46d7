import asyncio

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from contract import CONTENT, fail, greeting, greeting_url, noted, numbered_slowly, told, write_later

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
TASKS = set()


@require_GET
async def greet(request):
    return HttpResponse(greeting(request.GET["name"]), content_type="text/plain; charset=utf-8")


# Not async: Django runs it in a thread.
@require_POST
def form(request):
    return HttpResponseRedirect(greeting_url(request.POST["name"]))


@require_POST
async def upload(request):
    file = request.FILES["file"]
    return HttpResponse(told(file.name, file))


def send(request):
    return FileResponse(open(CONTENT, "rb"))


async def error(request):
    fail()


async def stream(request):
    return StreamingHttpResponse(numbered_slowly(int(request.GET["lines"])), content_type="text/plain")


async def later(request):
    task = asyncio.create_task(write_later(request.GET["what"]))
    TASKS.add(task)
    task.add_done_callback(TASKS.discard)
    return HttpResponse("soon")


urlpatterns = [
    path("", greet),
    path("form", form),
    path("upload", upload),
    path("file", send),
    path("error", error),
    path("stream", stream),
    path("later", later),
]
application = noted(ASGIHandler())
