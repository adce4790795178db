"""Commit: the reply is stored if its turn still has the right to speak, or not at all.

The fence is one condition on one row, evaluated under that row's lock: the epoch that the turn
started with, the clone as holder, and a client who still waits for this answer. A takeover, a
hand-back, a pause and a second run of the turn all raise the epoch; a second commit of the same
run finds the answer already given.
"""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils.timezone import now

from conversations.log import add_event, add_message, locked
from conversations.models import (
    Conversation,
    ConversationEvent,
    Message,
    Mode,
    Source,
    Turn,
    TurnStatus,
)
from conversations.turns.accept import TurnKey, lease_from
from opencoach.common.ids import uuid7
from usage.models import LedgerEntry
from usage.services import record_entries

CALM_WORDS = (
    "I cannot answer just now. Your message is safe, and your coach has been told: "
    "one of us will come back to you here."
)


@dataclass(frozen=True, slots=True)
class Reply:
    content: str
    citations: list[dict[str, Any]]
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Committed:
    message: Message | None
    """`None`: a human stepped in, and the reply was discarded."""
    next_turn: TurnKey | None = None
    """The client wrote on meanwhile; the caller runs this turn now."""


_COMMIT = """
WITH conversation AS (
    UPDATE conversations_conversation
    SET last_seq = last_seq + 1, answered_seq = %(input_seq)s, last_message_at = %(now)s,
        needs_human = false
    WHERE id = %(conversation)s AND epoch = %(epoch)s AND mode = 'ai'
        AND answered_seq < %(input_seq)s
    RETURNING id, workspace_id, last_seq, last_client_seq > %(input_seq)s AS client_wrote_on
), turn AS (
    UPDATE conversations_turn
    SET status = 'completed', finished_at = %(now)s, input_seq = %(input_seq)s,
        record = %(record)s, error = ''
    FROM conversation WHERE conversations_turn.id = %(turn)s
), message AS (
    INSERT INTO conversations_message (id, workspace_id, conversation_id, seq, source, content,
        author_name, turn_id, citations, metadata, created_at)
    SELECT %(message)s, workspace_id, id, last_seq, 'ai', %(content)s,
        %(author)s, %(turn)s, %(citations)s, %(metadata)s, %(now)s
    FROM conversation
)
SELECT last_seq, client_wrote_on FROM conversation
"""


def commit_reply(
    turn: TurnKey,
    reply: Reply,
    *,
    author_name: str,
    record: dict[str, Any],
    entries: list[LedgerEntry],
) -> Committed:
    """Stores reply, turn and ledger in one transaction; the ledger also where the reply may not."""
    at, message_id = now(), uuid7()
    input_seq: int = reply.metadata["answers"]
    values: dict[str, Any] = {
        "conversation": turn.conversation_id,
        "turn": turn.id,
        "epoch": turn.epoch,
        "input_seq": input_seq,
        "message": message_id,
        "content": reply.content,
        "author": author_name,
        "citations": json.dumps(reply.citations),
        "metadata": json.dumps(reply.metadata),
        "record": json.dumps(record),
        "now": at,
    }
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_COMMIT, values)
            row = cursor.fetchone()
        record_entries(entries)
        next_turn = _open_next(turn) if row and row[1] else None
    if row is None:
        if earlier := _reply_of(turn, input_seq):  # stored before, and its acknowledgement was lost
            return Committed(earlier)
        discard(turn, record=record)
        return Committed(None)
    message = Message(
        id=message_id,
        workspace_id=turn.workspace_id,
        conversation_id=turn.conversation_id,
        seq=row[0],
        source=Source.AI,
        content=reply.content,
        author_name=author_name,
        turn_id=turn.id,
        citations=reply.citations,
        metadata=reply.metadata,
        created_at=at,
    )
    return Committed(message, next_turn)


def _reply_of(turn: TurnKey, input_seq: int) -> Message | None:
    return Message.objects.filter(
        conversation_id=turn.conversation_id, seq__gt=input_seq, turn_id=turn.id
    ).first()


def _open_next(turn: TurnKey) -> TurnKey | None:
    return open_turn(locked(turn.conversation_id), trace_id=turn.trace_id)


def open_turn(conversation: Conversation, *, trace_id: str) -> TurnKey | None:
    """Opens a turn for what the client still waits for. Expects the row locked, mode `ai`."""
    if conversation.mode != Mode.AI or not conversation.has_pending:
        return None
    at = now()
    turn = Turn.objects.create(
        workspace_id=conversation.workspace_id,
        conversation=conversation,
        epoch=conversation.epoch,
        lease_until=lease_from(at),
        input_seq=conversation.last_client_seq,
        trace_id=trace_id,
        created_at=at,
    )
    return key_of(turn, conversation)


def key_of(turn: Turn, conversation: Conversation) -> TurnKey:
    return TurnKey(
        turn.id,
        turn.workspace_id,
        conversation.id,
        conversation.client_id,
        conversation.coach_id,
        turn.epoch,
        turn.attempt,
        turn.trace_id,
    )


def discard(turn: TurnKey, *, record: dict[str, Any]) -> None:
    """Keeps why a run that lost its right to speak said nothing; a newer run is left alone."""
    Turn.objects.filter(
        id=turn.id, epoch=turn.epoch, status__in=[TurnStatus.RUNNING, TurnStatus.DISCARDED]
    ).update(status=TurnStatus.DISCARDED, finished_at=now(), record=record)


@dataclass(frozen=True, slots=True)
class Failed:
    event: ConversationEvent
    message: Message


def fail_turn(turn: TurnKey, *, error: str, record: dict[str, Any]) -> Failed | None:
    """No model answered: the client gets calm words, the coach is told, the turn can be retried.

    It fails for all that the client wrote meanwhile too, and a retry answers all of it. `None`
    when a human stepped in, and nothing needs to be said.
    """
    with transaction.atomic():
        conversation = locked(turn.conversation_id)
        if conversation.epoch != turn.epoch or conversation.mode != Mode.AI:
            discard(turn, record=record)
            return None
        input_seq = conversation.last_client_seq
        Turn.objects.filter(id=turn.id).update(
            status=TurnStatus.FAILED,
            finished_at=now(),
            input_seq=input_seq,
            error=error[:200],
            record=record,
        )
        conversation.needs_human = True
        event = add_event(
            conversation, "turn.failed", turn=str(turn.id), answers=input_seq, reason=error[:200]
        )
        message = add_message(
            conversation, Source.SYSTEM, CALM_WORDS, metadata={"about": "turn.failed"}
        )
        conversation.save(update_fields=["needs_human", "last_seq", "last_message_at"])
        return Failed(event, message)
