"""Does in the project's folder what manage.py migrate and manage.py createsuperuser do, in one
process: to start Django with Wagtail takes long."""

import os
import sys

import django
from django.core.management import call_command

sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings.dev"
os.environ["DJANGO_SUPERUSER_PASSWORD"] = "secret"
django.setup()
call_command("migrate", verbosity=0)
call_command("createsuperuser", interactive=False, verbosity=0, username="editor", email="editor@example.org")
