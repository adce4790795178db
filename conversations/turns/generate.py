"""Generate: one model call through the door, streamed to whoever watches."""

import re
import time
from dataclasses import dataclass
from typing import Any

from conversations.turns.commit import Reply
from conversations.turns.context import TurnContext
from conversations.turns.reply import ReplyInProgress
from opencoach.ai.calls import CallContext, ModelCall, Reset
from opencoach.ai.providers.base import ChatRequest, TextDelta
from usage.models import LedgerEntry

_CITED = re.compile(r"\[(\d{1,2})\]")


@dataclass(slots=True)
class Generated:
    reply: Reply
    author_name: str
    entries: list[LedgerEntry]
    record: dict[str, Any]


async def generate(context: TurnContext, shown: ReplyInProgress) -> Generated:
    """Raises `AllModelsFailed`. Cancelled, it closes the stream and leaves its ledger entries."""
    started = time.perf_counter()
    call = ModelCall(request_for(context), context.choices, call_context(context))
    async with call:
        async for event in call:
            if isinstance(event, TextDelta):
                shown.add(event.text)
            elif isinstance(event, Reset):
                shown.reset()
        entries = call.take_entries()
    generate_ms = round((time.perf_counter() - started) * 1000)
    return Generated(
        reply=_reply(context, shown.text, entries[-1]),
        author_name=context.clone_name,
        entries=entries,
        record=_record(context, entries, generate_ms),
    )


def request_for(context: TurnContext) -> ChatRequest:
    return ChatRequest(
        model="",  # the door fills in the model of each choice
        system=context.prompt.text,
        messages=context.history,
        trace_id=context.turn.trace_id,
        context=context.offline,
    )


def call_context(context: TurnContext) -> CallContext:
    turn = context.turn
    return CallContext(
        workspace_id=turn.workspace_id,
        action="reply",
        person_id=turn.client_id,
        conversation_id=turn.conversation_id,
        turn_id=turn.id,
        trace_id=turn.trace_id,
    )


def _reply(context: TurnContext, text: str, answered_by: LedgerEntry) -> Reply:
    cited = {int(n) for n in _CITED.findall(text)}
    citations = [
        {
            "n": n,
            "passage": str(passage.passage_id),
            "document": str(passage.document_id),
            "title": passage.title,
            "location": {
                "heading": passage.heading,
                "start": passage.start,
                "end": passage.end,
            },
            "text": passage.text,
        }
        for n, passage in enumerate(context.passages, 1)
        if n in cited
    ]
    metadata: dict[str, Any] = {
        "answers": context.input_seq,
        "provider": answered_by.provider,
        "model": answered_by.model,
    }
    if answered_by.provider == "offline":
        metadata["demo"] = True
    return Reply(text, citations, metadata)


def _record(context: TurnContext, entries: list[LedgerEntry], generate_ms: int) -> dict[str, Any]:
    last = entries[-1]
    return {
        "provider": last.provider,
        "model": last.model,
        "attempts": len(entries),
        "prompt_version": context.prompt.version,
        "passages": [
            {"passage": str(p.passage_id), "title": p.title, "score": round(p.score, 3)}
            for p in context.passages
        ],
        "ttft_ms": last.ttft_ms,
        "timings": context.timings | {"generate_ms": generate_ms},
    }
