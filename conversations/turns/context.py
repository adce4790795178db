"""Context: everything a reply rests on, read in one go on one database thread."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from conversations.models import Conversation, Message, Source
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


def read_context(turn: TurnKey) -> TurnContext:
    started = time.perf_counter()
    conversation = (
        Conversation.objects.select_related("client", "coach")
        .only(
            "last_client_seq", "note_for_clone", "client__name", "client__email",
            "client__external_id", "coach__name", "coach__clone_name", "coach__approach",
        )
        .get(id=turn.conversation_id)
    )  # fmt: skip
    messages = _latest_messages(turn.conversation_id)
    retrieved = time.perf_counter()
    passages = _passages_for(turn, messages)
    done = time.perf_counter()
    choices = route_for("reply", turn.workspace_id)
    preload(*(choice.provider for choice in choices))  # here, where it holds no stream up
    return TurnContext(
        turn=turn,
        clone_name=conversation.coach.clone_name,
        input_seq=max(m.seq for m in messages if m.source == Source.CLIENT),
        history=as_history(messages),
        passages=passages,
        prompt=render_reply_prompt(
            clone_name=conversation.coach.clone_name,
            coach_name=conversation.coach.name,
            approach=conversation.coach.approach,
            client_name=conversation.client.display_name,
            note=conversation.note_for_clone,
            passages=[(p.title, p.heading, p.text) for p in passages],
        ),
        choices=choices,
        offline={
            "clone_name": conversation.coach.clone_name,
            "coach_name": conversation.coach.name,
            "passages": [
                {"n": n, "title": p.title, "text": p.text} for n, p in enumerate(passages, 1)
            ],
        },
        timings={
            "read_ms": round((retrieved - started) * 1000),
            "retrieve_ms": round((done - retrieved) * 1000),
        },
    )


def _latest_messages(conversation_id: UUID) -> list[Message]:
    latest = (
        Message.objects.filter(conversation_id=conversation_id)
        .order_by("-seq")
        .only("seq", "source", "content", "author_name", "metadata")[:HISTORY_MESSAGES]
    )
    # That nobody could answer is news for people; a model would reply to it.
    return [m for m in latest if m.metadata.get("about") != "turn.failed"][::-1]


def _passages_for(turn: TurnKey, messages: Sequence[Message]) -> list[Found]:
    said = [m.content for m in messages if m.source == Source.CLIENT]
    return search(
        workspace_id=turn.workspace_id, coach_id=turn.coach_id, query="\n".join(said[-2:])[-1000:]
    )


def as_history(messages: Sequence[Message]) -> list[ChatMessage]:
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


def _as_spoken(message: Message) -> tuple[Any, str]:
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


def _within(messages: Sequence[Message], characters: int) -> list[Message]:
    """The latest messages that fit; the very last always does."""
    kept: list[Message] = []
    for message in reversed(messages):
        characters -= len(message.content)
        if kept and characters < 0:
            break
        kept.append(message)
    return kept[::-1]
