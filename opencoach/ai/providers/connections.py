"""The HTTP connections of one event loop, shared by every provider that lives in it.

Shared, because then a provider for a workspace's own key costs no TLS context and no pool, and
dropping one from the registry cuts no reply that is still streaming.
"""

from functools import cache
from importlib.util import find_spec
from ssl import SSLContext
from types import ModuleType

import httpx2

CONNECT_TIMEOUT_S = 5.0
# The vendors' load balancers keep an idle connection for a minute or more.
_LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=200, keepalive_expiry=30.0)


class Connections:
    def __init__(self, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        # No read timeout: first token, gap and whole reply are the caller's limits.
        self._timeout = httpx2.Timeout(None, connect=connect_timeout_s, pool=connect_timeout_s)
        self._clients: dict[str, httpx2.AsyncClient] = {}

    def client(self, sdk: ModuleType) -> httpx2.AsyncClient:
        """`sdk` is `openai` or `anthropic`: each brings its own adapter to aiohttp."""
        if sdk.__name__ not in self._clients:
            self._clients[sdk.__name__] = self._build(sdk)
        return self._clients[sdk.__name__]

    def _build(self, sdk: ModuleType) -> httpx2.AsyncClient:
        # aiohttp's C parser halves the CPU of a streamed reply; h11 is the fallback.
        factory = sdk.DefaultAioHttpClient if find_spec("aiohttp") else httpx2.AsyncClient
        client: httpx2.AsyncClient = factory(
            timeout=self._timeout,
            limits=_LIMITS,
            verify=_tls_context(),
            # A call is exactly one HTTP request, and the key goes to the address it was given for.
            follow_redirects=False,
        )
        return client

    async def aclose(self) -> None:
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()


@cache
def _tls_context() -> SSLContext:
    return httpx2.create_ssl_context()
