"""Adding to a conversation's log, under its row lock.

Whoever holds the locked row gives out the next `seq`; nothing else may. The caller saves the
conversation in the same transaction.
"""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from conversations.exceptions import Missing
from conversations.models import Conversation, ConversationEvent, Message, Source


def locked(conversation_id: UUID) -> Conversation:
    """The row, locked until the transaction ends. Raises `Missing`."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a lock outside a transaction would be gone at once")
    found = (
        Conversation.objects.select_for_update(of=("self",), no_key=True)
        .select_related("holder")
        .filter(id=conversation_id)
        .first()
    )
    if found is None:
        raise Missing("There is no such conversation.")
    return found


def add_message(conversation: Conversation, source: Source, content: str, **fields: Any) -> Message:
    at = now()
    conversation.last_seq += 1
    conversation.last_message_at = at
    return Message.objects.create(
        workspace_id=conversation.workspace_id,
        conversation=conversation,
        seq=conversation.last_seq,
        source=source,
        content=content,
        created_at=at,
        **fields,
    )


def add_event(conversation: Conversation, name: str, **payload: Any) -> ConversationEvent:
    conversation.last_seq += 1
    return ConversationEvent.objects.create(
        workspace_id=conversation.workspace_id,
        conversation=conversation,
        seq=conversation.last_seq,
        type=name,
        payload=payload,
    )
