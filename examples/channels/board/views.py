"""A board on which visitors write, and which all that look at it see at once."""

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from .consumers import GROUP


@require_GET
def index(request):
    return render(request, "board/index.html", {"name": request.session.get("name")})


@require_POST
def set_name(request):
    request.session["name"] = request.POST["name"][:30]
    return HttpResponseRedirect("/")


@require_POST
def post(request):
    """An ordinary view, in a thread: it hands on to everybody what was posted."""
    name = request.session.get("name")
    if not name:
        return HttpResponse("say your name first\n", status=403, content_type="text/plain")
    said = {"type": "said", "name": name, "text": request.POST["text"][:2000]}
    async_to_sync(get_channel_layer().group_send)(GROUP, said)
    return HttpResponse(status=204)
