from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

from notes.models import Note


class Command(BaseCommand):
    """Make the demo user and a first note, if they are not there yet."""

    help = "Makes the user demo (password demo) and a first note, if they are not there yet."

    def handle(self, **options):
        users = get_user_model().objects
        if not users.filter(username="demo").exists():
            users.create_superuser("demo", "demo@example.org", "demo")
        Note.objects.get_or_create(title="Welcome", defaults={"text": "Log in as demo, password demo."})
        self.stdout.write("log in as demo, password demo")
