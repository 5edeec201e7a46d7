"""The WSGI application; `python -m djangoed.wsgi` makes its database."""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "djangoed.settings"

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

if __name__ == "__main__":
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("demo", stdout=open(os.devnull, "w"))
