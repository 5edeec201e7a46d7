"""The example's pages, and the one that is measured."""

from django.http import HttpResponse
from django.urls import include, path
from notes.models import Note


def note(request, title):
    """A note's text: one query."""
    return HttpResponse(Note.objects.get(title=title).text, content_type="text/plain")


urlpatterns = [path("note/<str:title>/", note), path("", include("mysite.urls"))]
