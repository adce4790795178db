"""Accept: what a client says is stored before anything else happens, once.

One statement, so one round trip and no transaction to hold open: it locks the conversation, gives
the message its `seq`, and opens a turn where the clone holds the conversation and none is running.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection
from django.db.models import Q
from django.utils.timezone import now

from conversations.exceptions import Invalid, Missing, WrongMode
from conversations.models import Conversation, Message, Mode, Source, Turn, TurnStatus
from opencoach.common.ids import uuid7
from opencoach.common.tracing import current_trace_id


@dataclass(frozen=True, slots=True)
class TurnKey:
    """What a run of a turn needs to know of itself; `epoch` is its right to commit."""

    id: UUID
    workspace_id: UUID
    conversation_id: UUID
    client_id: UUID
    coach_id: UUID
    epoch: int
    attempt: int
    trace_id: str


@dataclass(frozen=True, slots=True)
class Accepted:
    message: Message
    turn_id: UUID | None
    """The turn that will answer, or did; `None` while a human holds the conversation."""
    turn_status: str
    opened: TurnKey | None
    """Set when this message opened the turn, which the caller then runs."""
    repeated: bool
    """The same `client_message_id` came before: nothing was stored now."""
    mode: str


# The second branch of ON CONFLICT changes nothing: it is how PostgreSQL gives back the row that
# was there, as of now and not as of the statement's snapshot. `xmax = 0` tells a new row.
_ACCEPT = """
WITH conversation AS (
    UPDATE conversations_conversation
    SET last_seq = last_seq + 1, last_client_seq = last_seq + 1, last_message_at = %(now)s
    WHERE id = %(conversation)s AND mode <> 'completed' AND NOT EXISTS (
        SELECT 1 FROM conversations_message
        WHERE conversation_id = %(conversation)s AND client_message_id = %(client_message_id)s
    )
    RETURNING id, workspace_id, client_id, coach_id, mode, epoch, last_seq
), turn AS (
    INSERT INTO conversations_turn (id, workspace_id, conversation_id, status, epoch, attempt,
        lease_until, input_seq, trace_id, created_at, error, record)
    SELECT %(turn)s, workspace_id, id, 'running', epoch, 1,
        %(lease)s, last_seq, %(trace)s, %(now)s, '', '{}'
    FROM conversation WHERE mode = 'ai'
    ON CONFLICT (conversation_id) WHERE status = 'running'
    DO UPDATE SET attempt = conversations_turn.attempt
    RETURNING id, xmax = 0 AS opened
), message AS (
    INSERT INTO conversations_message (id, workspace_id, conversation_id, seq, source, content,
        client_message_id, author_name, citations, metadata, created_at)
    SELECT %(message)s, workspace_id, id, last_seq, 'client', %(content)s,
        %(client_message_id)s, %(author)s, '[]', '{}', %(now)s
    FROM conversation
)
SELECT conversation.workspace_id, client_id, coach_id, mode, epoch, last_seq, turn.id, turn.opened
FROM conversation LEFT JOIN turn ON true
"""


def accept(
    *, conversation_id: UUID, content: str, client_message_id: str | None, author_name: str
) -> Accepted:
    """Raises `Missing`, `WrongMode` (completed) and `Invalid` (content)."""
    content = checked_content(content)
    at, turn_id, message_id, trace_id = now(), uuid7(), uuid7(), current_trace_id()
    values: dict[str, Any] = {
        "conversation": conversation_id,
        "content": content,
        "client_message_id": client_message_id,
        "author": author_name,
        "turn": turn_id,
        "message": message_id,
        "trace": trace_id,
        "now": at,
        "lease": lease_from(at),
    }
    try:
        with connection.cursor() as cursor:
            cursor.execute(_ACCEPT, values)
            row = cursor.fetchone()
    except IntegrityError:  # the same message, sent twice at the same moment
        row = None
    if row is None:
        return _accepted_before(conversation_id, client_message_id, content)
    workspace_id, client_id, coach_id, mode, epoch, seq, answering, opened = row
    message = Message(
        id=message_id,
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        seq=seq,
        source=Source.CLIENT,
        content=content,
        client_message_id=client_message_id,
        author_name=author_name,
        created_at=at,
    )
    key = TurnKey(turn_id, workspace_id, conversation_id, client_id, coach_id, epoch, 1, trace_id)
    return Accepted(
        message, answering, TurnStatus.RUNNING, key if opened else None, repeated=False, mode=mode
    )


def _accepted_before(
    conversation_id: UUID, client_message_id: str | None, content: str
) -> Accepted:
    conversation = Conversation.objects.filter(id=conversation_id).first()
    if conversation is None:
        raise Missing("There is no such conversation.")
    earlier = conversation.messages.filter(
        client_message_id=client_message_id, client_message_id__isnull=False
    ).first()
    if earlier is None:
        if conversation.mode == Mode.COMPLETED:
            raise WrongMode("This conversation is completed: start a new one.")
        raise RuntimeError("a message was neither accepted, nor known, nor refused")
    check_same(earlier, Source.CLIENT, content)
    turn = _answering_turn(earlier)
    return Accepted(
        earlier,
        turn.id if turn else None,
        turn.status if turn else "",
        None,
        repeated=True,
        mode=conversation.mode,
    )


def check_same(earlier: Message, source: Source, content: str) -> None:
    """A repeated id must come with the same words from the same side. Raises `Invalid`."""
    if (earlier.source, earlier.content) != (source, content):
        raise Invalid(
            "`client_message_id` was used for another message: give each message its own.",
            "client_message_id_reused",
        )


def _answering_turn(message: Message) -> Turn | None:
    """The turn that answered a client message, or is about to."""
    return (
        Turn.objects.filter(conversation_id=message.conversation_id)
        .filter(Q(input_seq__gte=message.seq) | Q(status=TurnStatus.RUNNING))
        .order_by("id")
        .first()
    )


def lease_from(at: datetime) -> datetime:
    return at + timedelta(seconds=settings.TURN_LEASE_SECONDS)


def checked_content(content: object) -> str:
    """The text as it will be stored. Raises `Invalid` with what to change."""
    if not isinstance(content, str):
        raise Invalid("`content` must be a text.", "not_text")
    content = content.strip()
    if not content:
        raise Invalid("`content` is empty: write something.", "empty")
    if len(content) > settings.MESSAGE_MAX_CHARACTERS:
        raise Invalid(
            f"`content` has {len(content):,} characters; "
            f"at most {settings.MESSAGE_MAX_CHARACTERS:,} are possible. Send it in parts.",
            "too_long",
        )
    if not is_storable(content):
        raise Invalid("`content` has NUL characters or lone surrogates: remove them.", "not_text")
    return content


def is_storable(text: str) -> bool:
    """PostgreSQL's text holds neither a NUL nor half a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def checked_client_message_id(value: object) -> str | None:
    """Raises `Invalid`."""
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= 100 or not value.isprintable():
        raise Invalid(
            "`client_message_id` must be a text of 1 to 100 printable characters.",
            "client_message_id",
        )
    return value
