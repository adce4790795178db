"""What every model provider speaks: one request in, one normalised stream out.

Nothing here or below imports Django; vendor quirks stay in the vendor's file.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["user", "assistant"]
StopReason = Literal["end", "length", "tool_calls", "refusal", "other"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One utterance of the history. `tool_calls` and `tool_results` carry a tool round."""

    role: Role
    content: str
    tool_calls: tuple["ToolCall", ...] = ()
    tool_results: tuple["ToolResult", ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON Schema (draft 2020-12) of the arguments object."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    call_id: str
    content: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ChatRequest:
    model: str
    system: str
    messages: Sequence[ChatMessage]
    tools: Sequence[Tool] = ()
    max_tokens: int = 1024
    temperature: float | None = None
    trace_id: str = ""
    """Sent to the provider as the `X-Trace-Id` request header when it is not empty."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """Plain data for the `offline` provider (cited passages, clone name); others ignore it."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the provider billed them.

    `prompt_tokens` is the whole input, cached part included; `cached_tokens` is the part of it
    that was read from the provider's prompt cache; `completion_tokens` is the whole output.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """The last event of a whole stream. A stream that ends without it was cut."""

    reason: StopReason


StreamEvent = TextDelta | ToolCall | Usage | Stop

FaultKind = Literal[
    "rate_limited",  # 429
    "overloaded",  # 503, 529
    "server_error",  # other 5xx
    "connect",  # no connection, or none in time
    "timeout",  # connected, and then too slow: detail says which limit
    "cut",  # the stream ended before its end marker
    "bad_chunk",  # bytes that are not the wire format
    "error_event",  # the provider reported an error inside the stream
    "bad_tool_arguments",  # a tool call whose arguments are not a JSON object
    "empty",  # a whole reply without a word or a tool call, as a content filter leaves it
    "bad_request",  # 400, 404, 413, 422: the same request fails again
    "auth",  # 401, 403
]
# Worth the same model again; anything else goes straight to the next model of the chain.
TRANSIENT: frozenset[FaultKind] = frozenset(
    {"rate_limited", "overloaded", "server_error", "connect", "timeout", "cut", "bad_chunk",
     "error_event", "bad_tool_arguments"}
)  # fmt: skip


class ProviderFault(Exception):
    """A model call that failed, in terms that are the same for every vendor."""

    def __init__(
        self,
        kind: FaultKind,
        detail: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def transient(self) -> bool:
        return self.kind in TRANSIENT


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client is built from; clients are kept per value of this, never built per call."""

    api_key: str = ""
    base_url: str = ""
    region: str = ""


class ChatProvider(Protocol):
    """One vendor. Instances hold a connection pool and belong to one event loop."""

    name: str

    def stream(self, request: ChatRequest) -> AsyncIterator[StreamEvent]:
        """Yields deltas as they arrive, tool calls when whole, `Usage` when named, `Stop` last.

        Makes exactly one HTTP request. Raises `ProviderFault` and nothing else of the vendor's;
        a stream without its end marker raises `ProviderFault("cut")`. Closing the iterator
        closes the HTTP response, which is how a reply in flight is cancelled.
        """
        ...

    async def aclose(self) -> None: ...
