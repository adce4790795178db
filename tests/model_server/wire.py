"""One reply in a vendor's format, in the pieces that a fault can cut between."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.model_server import replies
from tests.model_server.behaviour import Behaviour


@dataclass(slots=True)
class Wire:
    content_type: str
    head: bytes
    tokens: list[bytes]
    finish: bytes
    end: bytes
    """The vendor's last marker."""
    error_event: bytes
    garbage: bytes


@dataclass(slots=True)
class Reply:
    """The reply before any vendor's encoding."""

    model: str
    behaviour: Behaviour
    prompt_tokens: int
    tokens: list[str] = field(default_factory=list)
    tool: str = ""
    arguments: str = ""
    """JSON of the tool's arguments; with `bad_tool_arguments` it is cut short."""

    @property
    def completion_tokens(self) -> int:
        return len(self.argument_parts) if self.tool else len(self.tokens)

    @property
    def argument_parts(self) -> list[str]:
        return [self.arguments[i : i + 12] for i in range(0, len(self.arguments), 12)]

    @property
    def names_usage(self) -> bool:
        return self.behaviour.fault != "no_usage"

    @property
    def cached(self) -> int:
        return min(self.behaviour.cached, self.prompt_tokens)


def reply_to(body: dict[str, Any], model: str, behaviour: Behaviour) -> Reply:
    reply = Reply(model, behaviour, replies.prompt_tokens(body))
    tools = body.get("tools") or []
    # A round that answers a tool result must be text, or the caller's tool loop would never end.
    calls_tool = behaviour.fault in ("tool_call", "bad_tool_arguments")
    # A tool that the behaviour names is called whether it was offered or not, as models do.
    if calls_tool and (tools or behaviour.tool) and not _answers_tool(body):
        _add_tool_call(reply, tools)
    elif behaviour.text:
        reply.tokens = _split_words(behaviour.text)
    else:
        count = min(behaviour.tokens, body.get("max_tokens") or behaviour.tokens)
        reply.tokens = replies.reply_tokens(replies.last_prompt(body), count)
    return reply


def _split_words(text: str) -> list[str]:
    return [w if i == 0 else f" {w}" for i, w in enumerate(text.split(" "))]


def _answers_tool(body: dict[str, Any]) -> bool:
    last = body["messages"][-1]
    content = last.get("content")
    return last.get("role") == "tool" or (
        isinstance(content, list) and any(part.get("type") == "tool_result" for part in content)
    )


def _add_tool_call(reply: Reply, tools: list[dict[str, Any]]) -> None:
    specs = [tool.get("function", tool) for tool in tools] or [{"name": reply.behaviour.tool}]
    wanted = reply.behaviour.tool or specs[0]["name"]
    spec = next((s for s in specs if s["name"] == wanted), specs[0])
    schema = spec.get("parameters") or spec.get("input_schema") or {}
    arguments = reply.behaviour.arguments
    if arguments is None:
        arguments = replies.sample_arguments(schema)
    reply.tool = wanted
    reply.arguments = json.dumps(arguments)
    if reply.behaviour.fault == "bad_tool_arguments":
        reply.arguments = '{"date": "2026-01-'
