"""What the tests of the door share: choices on the model server, and a listener for a call."""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from opencoach.ai.calls import CallContext, Limits, ModelCall, ModelChoice, Reset
from opencoach.ai.providers.base import ChatMessage, ChatRequest, Credentials, TextDelta, Tool
from opencoach.common.ids import uuid7
from opencoach.common.tracing import new_trace_id
from tests.model_server import ModelServer
from usage.models import LedgerEntry

QUICK = Limits(first_token_s=10, gap_s=10, whole_s=20, backoff_s=0.01, patience_s=0.1)
HASTY = replace(QUICK, first_token_s=1, gap_s=1)  # for models that answer too late, or never
BOOK = Tool(
    "book", "Books a session.", {"type": "object", "properties": {"day": {"type": "string"}}}
)


def choice(server: ModelServer, model: str, vendor: str = "openai", key: str = "") -> ModelChoice:
    """A key of its own unless one is given, so that no test meets another's breaker."""
    region = "eu-west-1" if vendor == "bedrock" else ""
    credentials = Credentials(key or uuid4().hex, server.base_url(vendor), region)
    return ModelChoice(vendor, model, credentials)


def request(said: str = "", tools: tuple[Tool, ...] = ()) -> ChatRequest:
    return ChatRequest("", "You coach.", [ChatMessage("user", said or uuid4().hex)], tools=tools)


def context(workspace_id: UUID | None = None) -> CallContext:
    return CallContext(workspace_id or uuid7(), "reply", trace_id=new_trace_id())


@dataclass
class Heard:
    """What a caller had of a call, as a chat window would show it."""

    text: str = ""
    resets: list[str] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)

    def hear(self, event: Any) -> None:
        self.events.append(event)
        if isinstance(event, Reset):
            self.text = ""
            self.resets.append(event.reason)
        elif isinstance(event, TextDelta):
            self.text += event.text


async def listen(call: ModelCall) -> Heard:
    """Raises what the call raises; the entries are taken in any case."""
    heard = Heard()
    async with call:
        try:
            async for event in call:
                heard.hear(event)
        finally:
            heard.entries = call.take_entries()
    return heard


def assert_ledger_is(server: ModelServer, trace_id: str, entries: list[LedgerEntry]) -> None:
    """The ledger and the server's own log of this trace say the same, call by call."""
    calls = server.calls(trace_id)
    assert [(c["vendor"], c["model"]) for c in calls] == [(e.provider, e.model) for e in entries]
    for number, (call, entry) in enumerate(zip(calls, entries, strict=True), 1):
        assert entry.trace_id == trace_id == call["trace_id"]
        assert entry.attempt == number
        assert entry.replaces_id == (entries[number - 2].id if number > 1 else None)
        # The server cannot know that arguments which it sent whole are no JSON to us.
        whole = call["finished"] and call["fault"] != "bad_tool_arguments"
        assert (entry.status == "ok") == whole
        if not entry.estimated:
            assert entry.prompt_tokens == call["prompt_tokens"]
            assert entry.completion_tokens == call["completion_tokens_sent"]
