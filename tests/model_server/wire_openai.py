"""OpenAI chat completions and embeddings."""

import base64
import json
import struct
from typing import Any

from tests.model_server import replies
from tests.model_server.wire import Reply, Wire

CALL_ID = "call_0001"
_ID = "chatcmpl-0001"


def _event(value: Any) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def _chunk(reply: Reply, delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _event({**_envelope(reply, "chat.completion.chunk"), "choices": [choice]})


def _envelope(reply: Reply, kind: str) -> dict[str, Any]:
    return {"id": _ID, "object": kind, "created": 1767225600, "model": reply.model}


def _usage(reply: Reply) -> dict[str, Any]:
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": reply.cached},
    }


def _finish_reason(reply: Reply) -> str:
    if reply.tool:
        return "tool_calls"
    return "length" if reply.behaviour.fault == "length" else "stop"


def stream(reply: Reply, body: dict[str, Any]) -> Wire:
    include_usage = (body.get("stream_options") or {}).get("include_usage")
    finish = _chunk(reply, {}, _finish_reason(reply))
    if include_usage and reply.names_usage:
        usage = {"choices": [], "usage": _usage(reply)}
        finish += _event({**_envelope(reply, "chat.completion.chunk"), **usage})
    return Wire(
        content_type="text/event-stream; charset=utf-8",
        head=_chunk(reply, {"role": "assistant", "content": ""}),
        tokens=_tool_chunks(reply) if reply.tool else _text_chunks(reply),
        finish=finish,
        end=b"data: [DONE]\n\n",
        error_event=_event(
            {"error": {"message": "the server had an error", "type": "server_error"}}
        ),
        garbage=b'data: {"choices":[{"index":0,"delta":{"con\xff\xfe\n\n',
    )


def _text_chunks(reply: Reply) -> list[bytes]:
    # Encoding the envelope once and only the word per token keeps 20,000 tokens/s affordable.
    before, after = _chunk(reply, {"content": "@"}).split(b'"@"')
    return [b"".join((before, json.dumps(t).encode(), after)) for t in reply.tokens]


def _tool_chunks(reply: Reply) -> list[bytes]:
    opening = {"index": 0, "id": CALL_ID, "type": "function"}
    function = {"name": reply.tool, "arguments": ""}
    first = _chunk(reply, {"tool_calls": [{**opening, "function": function}]})
    parts = [
        _chunk(reply, {"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
        for part in reply.argument_parts
    ]
    return [first + parts[0], *parts[1:]] if parts else [first]


def plain(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(reply.tokens)}
    if reply.tool:
        function = {"name": reply.tool, "arguments": reply.arguments}
        call = {"id": CALL_ID, "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
    answer = {**_envelope(reply, "chat.completion"), "choices": [choice]}
    return {**answer, "usage": _usage(reply)} if reply.names_usage else answer


def error_body(status: int) -> dict[str, Any]:
    kind = "rate_limit_error" if status == 429 else "server_error"
    return {"error": {"message": f"status {status}", "type": kind, "param": None, "code": None}}


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    dimensions = int(body.get("dimensions") or 384)
    data = [
        {"object": "embedding", "index": i, "embedding": _encoded(text, dimensions, body)}
        for i, text in enumerate(texts)
    ]
    tokens = sum(len(text) for text in texts) // 4 + 1
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _encoded(text: str, dimensions: int, body: dict[str, Any]) -> Any:
    vector = replies.embedding(text, dimensions)
    if body.get("encoding_format") == "base64":
        return base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
    return vector
