"""OpenAI chat completions, and every server that speaks them, through `base_url`."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import httpx2

from opencoach.ai.providers.base import (
    ChatMessage,
    ChatRequest,
    Credentials,
    ProviderFault,
    Stop,
    StopReason,
    StreamEvent,
    TextDelta,
    Tool,
    ToolCall,
    Usage,
)
from opencoach.ai.providers.connections import Connections
from opencoach.ai.providers.faults import error_event, fault_of
from opencoach.ai.providers.sse import SSEDecoder
from opencoach.ai.providers.streams import stream_events
from opencoach.ai.providers.tool_arguments import parse_tool_arguments

if TYPE_CHECKING:
    import openai

BASE_URL = "https://api.openai.com/v1"

_STOP_REASONS: dict[str, StopReason] = {
    "stop": "end",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refusal",
}


class OpenAIProvider:
    name = "openai"

    def __init__(self, credentials: Credentials, connections: Connections | None = None) -> None:
        """`connections` are shared and the caller's to close; without them it makes its own."""
        self._credentials = credentials
        self._connections = connections or Connections()
        self._owns_connections = connections is None

    def stream(self, request: ChatRequest) -> AsyncIterator[StreamEvent]:
        return stream_events(partial(self._send, request), ChatCompletionDecoder())

    async def aclose(self) -> None:
        if self._owns_connections:
            await self._connections.aclose()

    async def _send(self, request: ChatRequest) -> httpx2.Response:
        import openai

        try:
            # `post` is the SDK's way to a response of one's own type; `chat.completions.create`
            # would first walk the whole history to transform it.
            response = await self._client.post(
                "/chat/completions",
                body=self._body(request),
                options={"headers": {"X-Trace-Id": request.trace_id}} if request.trace_id else {},
                cast_to=httpx2.Response,
                stream=True,
                stream_cls=openai.AsyncStream[Any],
            )
        except openai.OpenAIError as error:
            raise fault_of(error) from error
        return cast(httpx2.Response, response)

    @cached_property
    def _client(self) -> "openai.AsyncOpenAI":
        import openai

        # An empty key or address must not fall back to the environment's: that would send the
        # installation's key to a coach's own server.
        return openai.AsyncOpenAI(
            api_key=self._credentials.api_key or "none",
            base_url=self._credentials.base_url or BASE_URL,
            http_client=self._connections.client(openai),
            max_retries=0,
        )

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body = {
            "model": request.model,
            "messages": chat_messages(request),
            "stream": True,
            "stream_options": {"include_usage": True},
            self._max_tokens_field: request.max_tokens,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.tools:
            body["tools"] = [_function(tool) for tool in request.tools]
        return body

    @property
    def _max_tokens_field(self) -> str:
        # OpenAI's newer models refuse `max_tokens`; most compatible servers know only that.
        return "max_tokens" if self._credentials.base_url else "max_completion_tokens"


def chat_messages(request: ChatRequest) -> list[dict[str, Any]]:
    messages = [{"role": "system", "content": request.system}] if request.system else []
    return messages + [item for message in request.messages for item in _rendered(message)]


def _rendered(message: ChatMessage) -> Iterator[dict[str, Any]]:
    for result in message.tool_results:
        yield {"role": "tool", "tool_call_id": result.call_id, "content": result.content}
    if message.tool_calls:
        calls = [_called(call) for call in message.tool_calls]
        yield {"role": message.role, "content": message.content or None, "tool_calls": calls}
    elif message.content or not message.tool_results:
        yield {"role": message.role, "content": message.content}


def _called(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
    return {"id": call.id, "type": "function", "function": function}


def _function(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


@dataclass(slots=True)
class _CallParts:
    id: str = ""
    name: str = ""
    arguments: str = ""


class ChatCompletionDecoder:
    def __init__(self) -> None:
        self.done = False
        self._sse = SSEDecoder()
        self._calls: dict[int, _CallParts] = {}
        self._finish_reason = ""
        self._refused = False
        self._usage: Usage | None = None

    def feed(self, data: bytes) -> Iterator[StreamEvent]:
        try:
            for payload in self._sse.feed(data):
                if payload.strip() == b"[DONE]":
                    self.done = True
                    return
                yield from self._read(json.loads(payload))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ProviderFault("bad_chunk", repr(error)) from error

    def end(self) -> Iterator[StreamEvent]:
        # Some servers close after `finish_reason` and never send [DONE]: nothing is missing then.
        if not (self.done or self._finish_reason):
            raise ProviderFault("cut", "the stream ended without [DONE] and without finish_reason")
        for index in sorted(self._calls):
            yield _tool_call(index, self._calls[index])
        if self._usage:
            yield self._usage
        yield Stop(self._stop_reason)

    @property
    def _stop_reason(self) -> StopReason:
        reason = _STOP_REASONS.get(self._finish_reason, "other")
        if reason == "end" and self._calls:  # compatible servers say "stop" after tool calls too
            return "tool_calls"
        return "refusal" if self._refused else reason

    def _read(self, chunk: dict[str, Any]) -> list[StreamEvent]:
        if error := chunk.get("error"):
            raise error_event(error)
        if usage := chunk.get("usage"):
            self._usage = _usage(usage)
        choices = chunk.get("choices")
        if not choices:  # the usage chunk, and Azure's filter results
            return []
        choice = choices[0]
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        return self._read_delta(choice.get("delta") or {})

    def _read_delta(self, delta: dict[str, Any]) -> list[StreamEvent]:
        for part in delta.get("tool_calls") or ():
            self._merge(part)
        self._refused = self._refused or bool(delta.get("refusal"))
        text = delta.get("content") or delta.get("refusal")
        if not text:
            return []
        if not isinstance(text, str):
            raise TypeError(f"content of type {type(text).__name__}")
        return [TextDelta(text)]

    def _merge(self, part: dict[str, Any]) -> None:
        index = part.get("index")
        if index is None:  # some servers send whole calls without an index
            index = len(self._calls) if part.get("id") else len(self._calls) - 1
        call = self._calls.setdefault(index, _CallParts())
        function = part.get("function") or {}
        call.id = call.id or part.get("id") or ""
        call.name = call.name or function.get("name") or ""
        call.arguments += function.get("arguments") or ""


def _tool_call(index: int, parts: _CallParts) -> ToolCall:
    if not parts.name:
        raise ProviderFault("bad_chunk", "a tool call without a name")
    arguments = parse_tool_arguments(parts.name, parts.arguments)
    return ToolCall(parts.id or f"call_{index}", parts.name, arguments)


def _usage(usage: dict[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=int(usage["prompt_tokens"]),
        completion_tokens=int(usage.get("completion_tokens") or 0),
        cached_tokens=int(details.get("cached_tokens") or 0),
    )
