"""What a socket receives for what is stored: one frame for each message and event.

A frame is plain JSON data: `type`, `conversation`, `at`, and `seq` where it is stored. Messages
and events share one sequence, so the two tables merge into one log without gaps.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from conversations.models import ConversationEvent, Message, Source

Frame = dict[str, Any]


def message_json(message: Message) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "seq": message.seq,
        "source": message.source,
        "content": message.content,
        "client_message_id": message.client_message_id,
        "created_at": stamp(message.created_at),
        "citations": message.citations,
        "metadata": message.metadata,
        "author_name": message.author_name,
        "turn": str(message.turn_id) if message.turn_id else None,
    }


def message_frame(message: Message) -> Frame:
    """The clone's replies complete a stream of deltas; every other message is simply there."""
    by_clone = message.source == Source.AI
    return {
        "type": "message.completed" if by_clone else "message.created",
        "conversation": str(message.conversation_id),
        "seq": message.seq,
        "at": stamp(message.created_at),
        "message": message_json(message),
    } | ({"turn": str(message.turn_id)} if by_clone else {})


def event_frame(event: ConversationEvent) -> Frame:
    return {
        "type": event.type,
        "conversation": str(event.conversation_id),
        "seq": event.seq,
        "at": stamp(event.created_at),
        **event.payload,
    }


def stored_frames(
    conversation_id: UUID, *, after: int, before: int | None = None, limit: int = 500
) -> list[Frame]:
    """What happened after `after`, in order; at most `limit`, so a caller may have to ask on."""
    span = {"conversation_id": conversation_id, "seq__gt": after}
    if before is not None:
        span["seq__lt"] = before
    messages = Message.objects.filter(**span).order_by("seq")[:limit]
    events = ConversationEvent.objects.filter(**span).order_by("seq")[:limit]
    return in_order([*map(message_frame, messages), *map(event_frame, events)])[:limit]


def in_order(frames: Iterable[Frame]) -> list[Frame]:
    return sorted(frames, key=lambda frame: frame["seq"])


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
