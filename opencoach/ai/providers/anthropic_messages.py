"""Anthropic's messages format, as its own API and Bedrock both speak it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from opencoach.ai.providers.base import (
    ChatMessage,
    ChatRequest,
    ProviderFault,
    Stop,
    StopReason,
    StreamEvent,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from opencoach.ai.providers.faults import error_event
from opencoach.ai.providers.tool_arguments import parse_tool_arguments

# The API wants the user first; a conversation that the clone opened has nobody before it.
_OPENING = {"role": "user", "content": "(The client opened the conversation.)"}

_STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}


def message_body(request: ChatRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": _messages(request.messages),
        "stream": True,
    }
    if request.system:
        # The mark caches everything up to it, tools included, for five minutes.
        cached = {"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}
        body["system"] = [cached]
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    return body


def _messages(messages: Iterable[ChatMessage]) -> list[dict[str, Any]]:
    rendered = [
        {"role": message.role, "content": blocks}
        for message in messages
        if (blocks := _blocks(message))
    ]
    opened_by_clone = rendered and rendered[0]["role"] == "assistant"
    return [_OPENING, *rendered] if opened_by_clone else rendered


def _blocks(message: ChatMessage) -> list[dict[str, Any]]:
    """Tool results first, as the API demands; it refuses empty text blocks."""
    blocks = [_result(result) for result in message.tool_results]
    if message.content:
        blocks.append({"type": "text", "text": message.content})
    return blocks + [_use(call) for call in message.tool_calls]


def _result(result: ToolResult) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": result.call_id, "content": result.content}
    return {**block, "is_error": True} if result.is_error else block


def _use(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}


def _tool(tool: Tool) -> dict[str, Any]:
    schema = dict(tool.parameters)
    return {"name": tool.name, "description": tool.description, "input_schema": schema}


class Frames(Protocol):
    """Turns network bytes into the JSON of one event each; raises ValueError on a broken one."""

    def feed(self, data: bytes) -> Iterable[bytes]: ...


@dataclass(slots=True)
class _ToolUse:
    id: str
    name: str
    input: dict[str, Any]
    partial_json: str = ""


class MessageDecoder:
    def __init__(self, frames: Frames) -> None:
        self.done = False
        self._frames = frames
        self._tool_uses: dict[int, _ToolUse] = {}
        self._stop_reason = ""
        self._usage: dict[str, int] = {}

    def feed(self, data: bytes) -> Iterator[StreamEvent]:
        try:
            for payload in self._frames.feed(data):
                yield from self._read(json.loads(payload))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ProviderFault("bad_chunk", repr(error)) from error

    def end(self) -> Iterator[StreamEvent]:
        if not self.done:
            raise ProviderFault("cut", "the stream ended without message_stop")
        if "input_tokens" in self._usage and "output_tokens" in self._usage:
            yield self._named_usage()
        yield Stop(_STOP_REASONS.get(self._stop_reason, "other"))

    def _named_usage(self) -> Usage:
        # `input_tokens` leaves out both what the cache served and what was written to it.
        cached = self._usage.get("cache_read_input_tokens", 0)
        created = self._usage.get("cache_creation_input_tokens", 0)
        whole = self._usage["input_tokens"] + cached + created
        return Usage(whole, self._usage["output_tokens"], cached)

    def _read(self, event: dict[str, Any]) -> list[StreamEvent]:
        match event["type"]:
            case "content_block_delta":
                return self._read_delta(event["index"], event["delta"])
            case "content_block_start":
                return self._open_block(event["index"], event["content_block"])
            case "content_block_stop":
                return self._close_block(event["index"])
            case "message_start":
                self._add_usage(event["message"].get("usage"))
            case "message_delta":
                self._stop_reason = event["delta"].get("stop_reason") or ""
                self._add_usage(event.get("usage"))
            case "message_stop":
                self.done = True
            case "error":
                raise error_event(event["error"])
        return []  # a ping, or a kind that this version does not know

    def _read_delta(self, index: int, delta: dict[str, Any]) -> list[StreamEvent]:
        if delta["type"] == "text_delta":
            return [TextDelta(delta["text"])] if delta["text"] else []
        if delta["type"] == "input_json_delta":
            self._tool_uses[index].partial_json += delta["partial_json"]
        return []

    def _open_block(self, index: int, block: dict[str, Any]) -> list[StreamEvent]:
        if block["type"] == "tool_use":
            use = _ToolUse(block["id"], block["name"], block.get("input") or {})
            self._tool_uses[index] = use
        elif block["type"] == "text" and block.get("text"):
            return [TextDelta(block["text"])]
        return []

    def _close_block(self, index: int) -> list[StreamEvent]:
        use = self._tool_uses.pop(index, None)
        if use is None:
            return []
        arguments = use.input
        if use.partial_json:
            arguments = parse_tool_arguments(use.name, use.partial_json)
        return [ToolCall(use.id, use.name, arguments)]

    def _add_usage(self, usage: dict[str, Any] | None) -> None:
        """Counts in message_delta are totals, not increments."""
        counts = {k: v for k, v in (usage or {}).items() if isinstance(v, int)}
        self._usage.update(counts)
