from django import forms

from .models import Note


class NoteForm(forms.ModelForm):
    """A note with an optional file."""

    class Meta:
        model = Note
        fields = ["title", "text", "file"]
