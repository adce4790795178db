"""What Daphne serves: Django for HTTP, our consumers for sockets."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opencoach.settings")
_django = get_asgi_application()

from conversations.home import adopt_running_loop  # noqa: E402 - after Django is set up
from conversations.routing import websocket_urlpatterns  # noqa: E402


async def _http(scope: Any, receive: Any, send: Any) -> None:
    """The loop that serves requests is the one on which turns run."""
    adopt_running_loop()
    await _django(scope, receive, send)


application = ProtocolTypeRouter({"http": _http, "websocket": URLRouter(websocket_urlpatterns)})
