"""Anthropic's models on Amazon Bedrock.

`Credentials.api_key` is a Bedrock bearer token. Without one AWS's own chain decides (environment,
profile, instance role) and the SDK signs each request, which needs boto3.
"""

from collections.abc import AsyncIterator
from functools import cached_property, partial
from typing import TYPE_CHECKING

import httpx2

from opencoach.ai.providers.anthropic import post_message
from opencoach.ai.providers.anthropic_messages import MessageDecoder
from opencoach.ai.providers.aws_event_stream import AWSEventStreamDecoder
from opencoach.ai.providers.base import ChatRequest, Credentials, ProviderFault, StreamEvent
from opencoach.ai.providers.connections import Connections
from opencoach.ai.providers.streams import stream_events

if TYPE_CHECKING:
    import anthropic


class BedrockProvider:
    name = "bedrock"

    def __init__(self, credentials: Credentials, connections: Connections | None = None) -> None:
        """`connections` are shared and the caller's to close; without them it makes its own."""
        self._credentials = credentials
        self._connections = connections or Connections()
        self._owns_connections = connections is None

    def stream(self, request: ChatRequest) -> AsyncIterator[StreamEvent]:
        return stream_events(partial(self._send, request), MessageDecoder(AWSEventStreamDecoder()))

    async def aclose(self) -> None:
        if self._owns_connections:
            await self._connections.aclose()

    async def _send(self, request: ChatRequest) -> httpx2.Response:
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

        try:
            return await post_message(self._client, request)
        except (BotoCoreError, RuntimeError, ValueError) as error:
            # No credentials, no region: neither is one of the SDK's error classes.
            raise ProviderFault("auth", str(error)) from error

    @cached_property
    def _client(self) -> "anthropic.AsyncAnthropicBedrock":
        import anthropic

        return anthropic.AsyncAnthropicBedrock(
            api_key=self._credentials.api_key or None,
            aws_region=self._credentials.region or None,
            base_url=self._credentials.base_url or None,
            http_client=self._connections.client(anthropic),
            max_retries=0,
        )
