from django.contrib import admin

from .models import Note


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):
    """Notes in the admin: a list with a search field."""

    list_display = ["title", "created"]
    search_fields = ["title", "text"]
