"""Anthropic's messages API."""

from collections.abc import AsyncIterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import httpx2

from opencoach.ai.providers.anthropic_messages import MessageDecoder, message_body
from opencoach.ai.providers.base import ChatRequest, Credentials, StreamEvent
from opencoach.ai.providers.connections import Connections
from opencoach.ai.providers.faults import fault_of
from opencoach.ai.providers.sse import SSEDecoder
from opencoach.ai.providers.streams import stream_events

if TYPE_CHECKING:
    import anthropic

BASE_URL = "https://api.anthropic.com"


async def post_message(
    client: "anthropic.AsyncAnthropic | anthropic.AsyncAnthropicBedrock", request: ChatRequest
) -> httpx2.Response:
    """The open response. Raises ProviderFault for whatever the SDK raises."""
    import anthropic

    try:
        # `post` is the SDK's way to a response of one's own type; `messages.create` would first
        # walk the whole history to transform it.
        response = await client.post(
            "/v1/messages",
            body=message_body(request),
            options={"headers": {"X-Trace-Id": request.trace_id}} if request.trace_id else {},
            cast_to=httpx2.Response,
            stream=True,
            stream_cls=anthropic.AsyncStream[Any],
        )
    except anthropic.AnthropicError as error:
        raise fault_of(error) from error
    return cast(httpx2.Response, response)


class AnthropicProvider:
    name = "anthropic"

    def __init__(self, credentials: Credentials, connections: Connections | None = None) -> None:
        """`connections` are shared and the caller's to close; without them it makes its own."""
        self._credentials = credentials
        self._connections = connections or Connections()
        self._owns_connections = connections is None

    def stream(self, request: ChatRequest) -> AsyncIterator[StreamEvent]:
        return stream_events(partial(self._send, request), MessageDecoder(SSEDecoder()))

    async def aclose(self) -> None:
        if self._owns_connections:
            await self._connections.aclose()

    async def _send(self, request: ChatRequest) -> httpx2.Response:
        return await post_message(self._client, request)

    @cached_property
    def _client(self) -> "anthropic.AsyncAnthropic":
        import anthropic

        # An empty key or address must not fall back to the environment's: that would send the
        # installation's key to a coach's own server.
        return anthropic.AsyncAnthropic(
            api_key=self._credentials.api_key or "none",
            base_url=self._credentials.base_url or BASE_URL,
            http_client=self._connections.client(anthropic),
            max_retries=0,
        )
