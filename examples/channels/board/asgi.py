"""The application: pages by Django, WebSockets by Channels."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "board.settings")
pages = get_asgi_application()  # before what follows is imported: it sets Django up

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from channels.sessions import SessionMiddlewareStack  # noqa: E402
from django.urls import path  # noqa: E402

from .consumers import Reader  # noqa: E402

sockets = AllowedHostsOriginValidator(SessionMiddlewareStack(URLRouter([path("live", Reader.as_asgi())])))
application = ProtocolTypeRouter({"http": pages, "websocket": sockets})
