"""What Daphne serves: Django for HTTP, our consumers for sockets."""

import asyncio
import os
import sys
from threading import Thread
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from daphne import http_protocol
from django.core.asgi import get_asgi_application
from twisted.internet.defer import Deferred

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opencoach.settings")
# A database thread that computes lets go of the interpreter after 5 ms by default, and every socket
# of the process waits for it: 1 ms halves the 95th percentile of the first token at 40 turns a
# second (`make bench`). Less than that costs more in switching than it gains.
sys.setswitchinterval(0.001)
_django = get_asgi_application()

from conversations.routing import websocket_urlpatterns  # noqa: E402 - after Django is set up
from conversations.turns.sweeper import serve_turns  # noqa: E402
from opencoach.ai.calls import close_models  # noqa: E402
from opencoach.ai.embeddings import embed_query  # noqa: E402
from opencoach.ai.providers.registry import preload  # noqa: E402
from prompts_admin.routes import installed_choices  # noqa: E402


class _BodyAsItIs(http_protocol.WebRequest):  # type: ignore[misc]
    """Leaves forms to Django: Twisted reads them whole on the loop that serves everyone, and
    answers one that it cannot read with a bare 400."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, parsePOSTFormSubmission=False, **options)


http_protocol.WebRequest = _BodyAsItIs


_router = ProtocolTypeRouter({"http": _django, "websocket": URLRouter(websocket_urlpatterns)})


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The loop that serves requests is the one on which turns run."""
    serve_turns()
    await _router(scope, receive, send)


def _warm_up() -> None:
    """A second of imports and a model to load, which the first client need not wait for."""
    preload(*(choice.provider for choice in installed_choices()))
    embed_query("Hello")


def _begin_and_end_with_the_server() -> None:
    """Daphne tells applications neither when it starts nor when it stops; its reactor does."""
    if reactor := sys.modules.get("twisted.internet.reactor"):
        reactor.callWhenRunning(serve_turns)
        reactor.addSystemEventTrigger(
            "before", "shutdown", lambda: Deferred.fromFuture(asyncio.ensure_future(close_models()))
        )


_begin_and_end_with_the_server()
Thread(target=_warm_up, name="warm-up", daemon=True).start()
