"""What a conversation's script starts from: the JSON that `json_script` puts into the page."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from conversations.api.serializers import ConversationSerializer
from conversations.live.frames import Frame, event_frame, message_json
from conversations.models import Conversation, Message, Mode, Source, TurnStatus
from conversations.selectors import running_turn_id
from opencoach.accounts.access import Caller

FIRST_MESSAGES = 40
TITLE_LENGTH = 80


def conversation_state(conversation: Conversation, caller: Caller) -> dict[str, Any]:
    """The newest messages and where the log stood before they were read.

    A message that arrives in between is in both, page and socket; its id tells.
    """
    newest = list(conversation.messages.order_by("-seq")[: FIRST_MESSAGES + 1])
    shown = newest[:FIRST_MESSAGES][::-1]
    turn_id = running_turn_id(conversation.id)
    return {
        "me": {"id": caller.person_id, "name": caller.name},
        "conversation": ConversationSerializer(conversation).data,
        "messages": [message_json(message) for message in shown],
        "has_older": len(newest) > FIRST_MESSAGES,
        "events": _events_since(conversation, shown[0].seq if shown else 0),
        "turn": turn_id,
        "failed_turn": None if turn_id else _failed_turn(conversation),
    }


def _events_since(conversation: Conversation, seq: int) -> list[Frame]:
    events = conversation.events.filter(seq__gte=seq, type="mode.changed").order_by("seq")
    return [event_frame(event) for event in events]


def _failed_turn(conversation: Conversation) -> dict[str, Any] | None:
    """The turn that a coach may run again, if the last one failed and still wants an answer."""
    if conversation.mode != Mode.AI or not conversation.has_pending:
        return None
    last = conversation.turns.order_by("-id").only("id", "status", "error").first()
    if last is None or last.status != TurnStatus.FAILED:
        return None
    return {"turn": last.id, "reason": last.error}


def with_title(conversations: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Adds `first_words`: what the client opened with, which is what people remember it by."""
    first = Message.objects.filter(conversation=OuterRef("pk"), source=Source.CLIENT)
    return conversations.annotate(first_words=Subquery(first.order_by("seq").values("content")[:1]))


def history_entry(conversation: Any, *, current: Conversation | None) -> dict[str, Any]:
    """One line of a list of conversations, its title empty before the client wrote.

    Expects `with_title`.
    """
    return {
        "id": conversation.id,
        "title": (conversation.first_words or "")[:TITLE_LENGTH],
        "last_message_at": conversation.last_message_at,
        "is_current": current is not None and conversation.id == current.id,
    }
