"""The pages: a list, a form with an upload, a download, a stream."""

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from .forms import NoteForm
from .models import Note


def index(request):
    """The newest notes, and how often this session has looked."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    return render(request, "notes/index.html", {"notes": Note.objects.all()[:50], "visits": request.session["visits"]})


@login_required
def add(request):
    """Add a note; its file is read as it arrives and kept under MEDIA_ROOT."""
    form = NoteForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("notes")
    return render(request, "notes/add.html", {"form": form})


def download(request, pk):
    """A note's file, streamed from the disk through wsgi.file_wrapper."""
    note = get_object_or_404(Note, pk=pk)
    if not note.file:
        raise Http404("this note has no file")
    return FileResponse(note.file.open("rb"), as_attachment=True)


def count(request, n):
    """n lines, made one after the other; nobody knows the length beforehand."""
    return StreamingHttpResponse((f"{i}\n" for i in range(n)), content_type="text/plain")
