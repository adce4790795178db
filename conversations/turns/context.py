"""Context: everything a reply rests on, read in one go on one database thread."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection

from conversations.models import Source
from conversations.turns.accept import TurnKey
from knowledge.retrieval import Found, search
from opencoach.ai.calls import ModelChoice
from opencoach.ai.providers.base import ChatMessage
from opencoach.ai.providers.registry import preload
from prompts_admin.rendering import RenderedPrompt, render_reply_prompt
from prompts_admin.routes import route_for

# What a reply looks back on. Later memory layers carry what is older; a fixed window keeps turn
# 50 as cheap as turn 1.
HISTORY_MESSAGES = 20
HISTORY_CHARACTERS = 12_000
QUESTION_CHARACTERS = 400
SHORT_CHARACTERS = 30


@dataclass(frozen=True, slots=True)
class TurnContext:
    turn: TurnKey
    clone_name: str
    input_seq: int
    """The last message read: the reply answers the client up to here."""
    history: Sequence[ChatMessage]
    passages: Sequence[Found]
    prompt: RenderedPrompt
    choices: tuple[ModelChoice, ...]
    offline: dict[str, Any]
    """What the `offline` provider builds its answer from."""
    timings: dict[str, int] = field(default_factory=dict)


# Everything of the thread that a reply rests on, in one round trip. The latest messages come as one
# JSON array, because twenty rows would each repeat the coach's own words.
_THREAD = """
SELECT coach.name, coach.clone_name, coach.approach, conversation.note_for_clone,
    coalesce(nullif(client.name, ''), nullif(client.email, ''), client.external_id),
    (
        SELECT coalesce(jsonb_agg(to_jsonb(latest) ORDER BY seq), '[]')
        FROM (
            SELECT seq, source, content, author_name FROM conversations_message
            WHERE conversation_id = conversation.id
                -- That nobody could answer is news for people; a model would reply to it.
                AND metadata->>'about' IS DISTINCT FROM 'turn.failed'
            ORDER BY seq DESC LIMIT %(messages)s
        ) AS latest
    )
FROM conversations_conversation AS conversation
JOIN accounts_client AS client ON client.id = conversation.client_id
JOIN accounts_coach AS coach ON coach.id = conversation.coach_id
WHERE conversation.id = %(conversation)s
"""


def read_context(turn: TurnKey) -> TurnContext:
    started = time.perf_counter()
    coach_name, clone_name, approach, note, client_name, messages = _thread(turn)
    retrieving = time.perf_counter()
    passages = search(
        workspace_id=turn.workspace_id, coach_id=turn.coach_id, query=_question(messages)
    )
    done = time.perf_counter()
    choices = route_for("reply", turn.workspace_id)
    preload(*(choice.provider for choice in choices))  # here, where it holds no stream up
    return TurnContext(
        turn=turn,
        clone_name=clone_name,
        input_seq=max(m.seq for m in messages if m.source == Source.CLIENT),
        history=as_history(messages),
        passages=passages,
        prompt=render_reply_prompt(
            clone_name=clone_name,
            coach_name=coach_name,
            approach=approach,
            client_name=client_name,
            note=note,
            passages=[(p.title, p.heading, p.text) for p in passages],
        ),
        choices=choices,
        offline={
            "clone_name": clone_name,
            "coach_name": coach_name,
            "passages": [
                {"n": n, "title": p.title, "text": p.text} for n, p in enumerate(passages, 1)
            ],
        },
        timings={
            "read_ms": round((retrieving - started) * 1000),
            "retrieve_ms": round((done - retrieving) * 1000),
        },
    )


class Said(NamedTuple):
    """One message of the thread."""

    seq: int
    source: str
    content: str
    author_name: str


def _thread(turn: TurnKey) -> tuple[str, str, str, str, str, list[Said]]:
    with connection.cursor() as cursor:
        cursor.execute(
            _THREAD, {"conversation": turn.conversation_id, "messages": HISTORY_MESSAGES}
        )
        *names, latest = cursor.fetchone()
    # Django has psycopg leave jsonb as text, for its own field to decode.
    return (*names, [Said(**message) for message in json.loads(latest)])


def _question(messages: Sequence[Said]) -> str:
    """What to look up: the client's newest message, and the one before where that says little.

    It is short because embedding costs by the token: half a millisecond of CPU for ten.
    """
    said = [m.content for m in messages if m.source == Source.CLIENT]
    newest = said[-1][-QUESTION_CHARACTERS:]
    if len(newest) < SHORT_CHARACTERS and len(said) > 1:
        return f"{said[-2][-SHORT_CHARACTERS * 2 :]}\n{newest}"
    return newest


def as_history(messages: Sequence[Said]) -> list[ChatMessage]:
    """Who wrote what, as a model reads it; neighbours of one role are one message.

    The clone speaks as `assistant`; so does the human coach, in whose voice it goes on, named.
    """
    history: list[ChatMessage] = []
    for message in _within(messages, HISTORY_CHARACTERS):
        role, text = _as_spoken(message)
        if history and history[-1].role == role:
            history[-1] = ChatMessage(role, f"{history[-1].content}\n\n{text}")
        elif history or role == "user":  # a thread begins with what the client said
            history.append(ChatMessage(role, text))
    return history


def _as_spoken(message: Said) -> tuple[Any, str]:
    match message.source:
        case Source.CLIENT:
            return "user", message.content
        case Source.AI:
            return "assistant", message.content
        case Source.HUMAN_COACH:
            name = message.author_name or "the coach"
            return "assistant", f"[{name}, the human coach, wrote:] {message.content}"
        case _:
            return "user", f"[system notice, not from the client: {message.content}]"


def _within(messages: Sequence[Said], characters: int) -> list[Said]:
    """The latest messages that fit; the very last always does."""
    kept: list[Said] = []
    for message in reversed(messages):
        characters -= len(message.content)
        if kept and characters < 0:
            break
        kept.append(message)
    return kept[::-1]
