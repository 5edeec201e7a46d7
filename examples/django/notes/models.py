"""Notes, and files that belong to them."""

from django.db import models


class Note(models.Model):
    """Something worth remembering."""

    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    file = models.FileField(upload_to="notes", blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "-pk"]

    def __str__(self):
        return self.title
