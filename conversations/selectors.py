"""Reading conversations, as much of them as the caller may see."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery, Sum

from conversations.exceptions import Missing
from conversations.live.frames import stamp
from conversations.models import Conversation, Message, Turn
from opencoach.accounts.access import Caller
from usage.models import LedgerEntry


def conversations_for(caller: Caller) -> QuerySet[Conversation]:
    """A client's own; the whole practice for its coaches and keys."""
    found = Conversation.objects.filter(workspace_id=caller.workspace_id)
    if caller.client_id:
        found = found.filter(client_id=caller.client_id)
    return found.select_related("client", "coach", "holder")


def conversation_for(caller: Caller, conversation_id: UUID) -> Conversation:
    """Raises `Missing`, also for a conversation that is somebody else's."""
    found = conversations_for(caller).filter(id=conversation_id).first()
    if found is None:
        raise Missing("There is no such conversation.")
    return found


def running_turn_id(conversation_id: UUID) -> UUID | None:
    return (
        Turn.objects.filter(conversation_id=conversation_id, status="running")
        .values_list("id", flat=True)
        .first()
    )


def cost_of(turn: Turn) -> Decimal | None:
    """USD of all the turn's attempts; `None` where no price is known for any."""
    entries = LedgerEntry.objects.filter(
        workspace_id=turn.workspace_id, created_at__gte=turn.created_at, turn_id=turn.id
    )
    if turn.finished_at:  # the span is what the ledger's index is by
        entries = entries.filter(created_at__lte=turn.finished_at + timedelta(minutes=5))
    total: Decimal | None = entries.aggregate(total=Sum("cost_usd"))["total"]
    return total


def with_latest_message(conversations: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Adds `latest_source`, `latest_content` and `latest_at`, for a list of conversations."""
    latest = Message.objects.filter(conversation=OuterRef("pk")).order_by("-seq")
    return conversations.annotate(
        latest_source=Subquery(latest.values("source")[:1]),
        latest_content=Subquery(latest.values("content")[:1]),
        latest_at=Subquery(latest.values("created_at")[:1]),
    )


def inbox_summary(conversation: Any) -> dict[str, Any]:
    """A row of the inbox; expects `with_latest_message`."""
    return {
        "id": str(conversation.id),
        "client_name": conversation.client.display_name,
        "mode": conversation.mode,
        "needs_human": conversation.needs_human,
        "holder_name": conversation.holder.name if conversation.holder else "",
        "unread": conversation.has_pending,
        "last_message": {
            "source": conversation.latest_source,
            "content": conversation.latest_content[:200],
            "created_at": stamp(conversation.latest_at),
        }
        if conversation.latest_source
        else None,
    }


def inbox_summaries(caller: Caller, conversation_ids: set[UUID]) -> list[dict[str, Any]]:
    found = with_latest_message(conversations_for(caller)).filter(id__in=conversation_ids)
    return [inbox_summary(conversation) for conversation in found]
