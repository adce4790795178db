"""Which provider answers to which name. The only place that knows the vendors."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from opencoach.ai.providers.base import ChatProvider, Credentials

if TYPE_CHECKING:
    from opencoach.ai.providers.connections import Connections

NAMES = ("openai", "anthropic", "bedrock", "offline")
MAX_PROVIDERS = 256


@dataclass(slots=True)
class _Loop:
    """What one event loop holds; connections cannot cross from one loop to another."""

    providers: OrderedDict[tuple[str, Credentials], ChatProvider] = field(
        default_factory=OrderedDict
    )
    connections: "Connections | None" = None


_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()


def provider(name: str, credentials: Credentials) -> ChatProvider:
    """The running loop's provider for these credentials; raises ValueError for an unknown name.

    The least recently used one beyond MAX_PROVIDERS is forgotten. Its open streams go on: the
    connections belong to the loop and are closed by `close_providers`.
    """
    held = _loops.setdefault(asyncio.get_running_loop(), _Loop())
    key = (name, credentials)
    if key not in held.providers:
        held.providers[key] = _build(name, credentials, held)
        if len(held.providers) > MAX_PROVIDERS:
            held.providers.popitem(last=False)
    held.providers.move_to_end(key)
    return held.providers[key]


async def close_providers() -> None:
    """Closes the running loop's connections: call it before a loop ends."""
    held = _loops.pop(asyncio.get_running_loop(), None)
    if held and held.connections:
        await held.connections.aclose()


def preload(*names: str) -> None:
    """Imports the SDKs now. The first import takes about a second, which in a request would be
    a second for every stream of the process."""
    if "openai" in names:
        from openai.resources.chat import AsyncCompletions  # noqa: F401
    if {"anthropic", "bedrock"} & set(names):
        from anthropic.resources.messages import AsyncMessages  # noqa: F401


def _build(name: str, credentials: Credentials, held: _Loop) -> ChatProvider:
    if name == "offline":
        from opencoach.ai.providers.offline import OfflineProvider

        return OfflineProvider()
    if name not in NAMES:
        raise ValueError(f"unknown provider: {name!r}")
    return _build_network_provider(name, credentials, _connections(held))


def _build_network_provider(
    name: str, credentials: Credentials, connections: "Connections"
) -> ChatProvider:
    if name == "openai":
        from opencoach.ai.providers.openai import OpenAIProvider

        return OpenAIProvider(credentials, connections)
    if name == "anthropic":
        from opencoach.ai.providers.anthropic import AnthropicProvider

        return AnthropicProvider(credentials, connections)
    from opencoach.ai.providers.bedrock import BedrockProvider

    return BedrockProvider(credentials, connections)


def _connections(held: _Loop) -> "Connections":
    from opencoach.ai.providers.connections import Connections

    held.connections = held.connections or Connections()
    return held.connections
