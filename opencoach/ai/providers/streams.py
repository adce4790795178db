"""The life of one streamed response, which is the same for every vendor."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from typing import Protocol

import httpx2

from opencoach.ai.providers.base import ProviderFault, StreamEvent
from opencoach.ai.providers.faults import connection_fault

_DRAIN_S = 0.25


class Decoder(Protocol):
    done: bool
    """The vendor's end marker has been read."""

    def feed(self, data: bytes) -> Iterable[StreamEvent]:
        """Events that `data` completed; raises ProviderFault after the good ones before a fault."""
        ...

    def end(self) -> Iterable[StreamEvent]:
        """What is known only at the end; raises ProviderFault("cut") when the end is missing."""
        ...


async def stream_events(
    send: Callable[[], Awaitable[httpx2.Response]], decoder: Decoder
) -> AsyncGenerator[StreamEvent, None]:
    response = await send()
    try:
        async with aclosing(_body(response)) as chunks:
            async for chunk in chunks:
                for event in decoder.feed(chunk):
                    yield event
                if decoder.done:
                    await _drain(chunks)
                    break
        for event in decoder.end():
            yield event
    finally:
        await response.aclose()


async def _body(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    if response.headers.get("content-type", "").startswith("application/json"):
        text = (await response.aread())[:300].decode(errors="replace")
        raise ProviderFault("bad_chunk", f"answered a stream request with JSON: {text}")
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    except httpx2.HTTPError as error:
        # Also a failed connect: aiohttp's adapter reports a reset in mid-body as one.
        fault = connection_fault(error)
        raise fault if fault.kind == "bad_chunk" else ProviderFault("cut", fault.detail) from error


async def _drain(chunks: AsyncGenerator[bytes, None]) -> None:
    """Reads the last bytes of the HTTP body, without which the connection cannot be used again.

    They come with the end marker; a server that keeps the body open costs only its connection.
    """
    with suppress(TimeoutError, ProviderFault):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in chunks:
                pass
