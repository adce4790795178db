"""Anthropic messages, as server-sent events and inside Bedrock's event stream."""

import base64
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

from tests.model_server.wire import Reply, Wire

CALL_ID = "toolu_0001"

Encode = Callable[[dict[str, Any]], bytes]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def sse(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), _json(event))


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of `application/vnd.amazon.eventstream`, both CRCs included."""
    head = b"".join(
        struct.pack("!B", len(k)) + k.encode() + struct.pack("!BH", 7, len(v)) + v.encode()
        for k, v in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack("!I", zlib.crc32(message))


_CHUNK_HEADERS = {
    ":event-type": "chunk",
    ":content-type": "application/json",
    ":message-type": "event",
}


def bedrock(event: dict[str, Any]) -> bytes:
    payload = {"bytes": base64.b64encode(_json(event)).decode(), "p": "abcdefgh"}
    return frame(_CHUNK_HEADERS, _json(payload))


def _bedrock_exception() -> bytes:
    headers = {
        ":exception-type": "modelStreamErrorException",
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return frame(headers, _json({"message": "the model stream failed"}))


def _stop_reason(reply: Reply) -> str:
    if reply.tool:
        return "tool_use"
    return "max_tokens" if reply.behaviour.fault == "length" else "end_turn"


def _input_usage(reply: Reply) -> dict[str, Any]:
    return {
        "input_tokens": reply.prompt_tokens - reply.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": reply.cached,
        "output_tokens": 1,
    }


def _message(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": "msg_0001",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }
    return {**message, "usage": _input_usage(reply)} if reply.names_usage else message


def stream_sse(reply: Reply) -> Wire:
    wire = _stream(reply, sse)
    wire.error_event = sse(
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    )
    wire.garbage = b'event: content_block_delta\ndata: {"type":"content_bl\xff\xfe\n\n'
    return wire


def stream_bedrock(reply: Reply) -> Wire:
    wire = _stream(reply, bedrock)
    wire.content_type = "application/vnd.amazon.eventstream"
    wire.error_event = _bedrock_exception()
    whole = bedrock({"type": "ping"})
    wire.garbage = whole[:-1] + bytes([whole[-1] ^ 0xFF])  # a wrong checksum
    return wire


def _stream(reply: Reply, encode: Encode) -> Wire:
    delta: dict[str, Any] = {
        "type": "message_delta",
        "delta": {"stop_reason": _stop_reason(reply), "stop_sequence": None},
    }
    if reply.names_usage:
        delta["usage"] = {"output_tokens": reply.completion_tokens}
    block: dict[str, Any] = {"type": "text", "text": ""}
    if reply.tool:
        block = {"type": "tool_use", "id": CALL_ID, "name": reply.tool, "input": {}}
    return Wire(
        content_type="text/event-stream; charset=utf-8",
        head=encode({"type": "message_start", "message": _message(reply)})
        + encode({"type": "content_block_start", "index": 0, "content_block": block})
        + encode({"type": "ping"}),
        tokens=_deltas(reply, encode),
        finish=encode({"type": "content_block_stop", "index": 0}) + encode(delta),
        end=encode({"type": "message_stop"}),
        error_event=b"",
        garbage=b"",
    )


def _deltas(reply: Reply, encode: Encode) -> list[bytes]:
    if reply.tool:
        deltas = [{"type": "input_json_delta", "partial_json": p} for p in reply.argument_parts]
    else:
        deltas = [{"type": "text_delta", "text": token} for token in reply.tokens]
    return [encode({"type": "content_block_delta", "index": 0, "delta": d}) for d in deltas]


def plain(reply: Reply) -> dict[str, Any]:
    content: dict[str, Any] = {"type": "text", "text": "".join(reply.tokens)}
    if reply.tool:
        arguments = json.loads(reply.arguments)
        content = {"type": "tool_use", "id": CALL_ID, "name": reply.tool, "input": arguments}
    answer = {**_message(reply), "content": [content], "stop_reason": _stop_reason(reply)}
    if reply.names_usage:
        answer["usage"]["output_tokens"] = reply.completion_tokens
    return answer


def error_body(status: int) -> dict[str, Any]:
    kinds = {429: "rate_limit_error", 529: "overloaded_error", 400: "invalid_request_error"}
    error = {"type": kinds.get(status, "api_error"), "message": f"status {status}"}
    return {"type": "error", "error": error}
