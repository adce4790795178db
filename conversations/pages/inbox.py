"""The coach's inbox: the list of conversations, and the one that is open."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware
from django.views.decorators.http import require_GET

from conversations.exceptions import Missing
from conversations.models import Conversation, Mode, Source
from conversations.pages.shell import (
    NEEDS_HUMAN,
    asked,
    caller_of,
    coach_page,
    initials,
    is_part,
    shell,
)
from conversations.pages.state import conversation_state, history_entry, with_title
from conversations.selectors import conversation_for, conversations_for, with_latest_message
from opencoach.accounts.access import Caller

ROWS = 50
PREVIEW_LENGTH = 160
FILTERS = (("", "All"), ("needs", "Needs you"), ("ai", "AI handling"), ("mine", "With you"))
SPEAKER = {Source.AI: "Clone: ", Source.HUMAN_COACH: "Coach: "}
_MARKS = re.compile(r"[*_`#>]+|\[\d{1,2}\]")


@coach_page
@require_GET
def inbox(request: HttpRequest, conversation_id: UUID | None = None) -> HttpResponse:
    caller = caller_of(request)
    context: dict[str, Any] = {}
    if conversation_id is not None:
        context = _open(caller, conversation_id)
        if is_part(request):
            return render(request, "coach/_pane.html", context)
    context |= shell(request, "inbox") | rows_context(request, current=conversation_id)
    return render(request, "coach/inbox.html", context | {"filters": FILTERS})


@coach_page
@require_GET
def inbox_rows(request: HttpRequest) -> HttpResponse:
    return render(request, "coach/_rows.html", rows_context(request, current=None))


def _open(caller: Caller, conversation_id: UUID) -> dict[str, Any]:
    try:
        conversation = conversation_for(caller, conversation_id)
    except Missing:
        raise Http404 from None
    client = conversation.client
    theirs = with_title(conversations_for(caller).filter(client=client))
    return {
        "state": conversation_state(conversation, caller),
        "client": client,
        "client_conversations": [
            history_entry(each, current=conversation)
            for each in theirs.order_by("-last_message_at")[:20]
        ],
    }


# --- rows -----------------------------------------------------------------------------------


def rows_context(request: HttpRequest, *, current: UUID | None) -> dict[str, Any]:
    """The rows that fit search and filter, newest first; `before` goes on below a row."""
    query, chosen = asked(request, "q"), asked(request, "filter")
    found = _filtered(caller_of(request), query, chosen)
    if before := _moment(asked(request, "before")):
        found = found.filter(last_message_at__lt=before)
    rows = list(found.order_by("-last_message_at")[: ROWS + 1])
    return {
        "rows": [_row(row, current) for row in rows[:ROWS]],
        "older_than": rows[ROWS - 1].last_message_at if len(rows) > ROWS else None,
        "is_filtered": bool(query or chosen),
        "is_first_page": before is None,
    }


def _filtered(caller: Caller, query: str, chosen: str) -> QuerySet[Conversation]:
    found = with_latest_message(conversations_for(caller)).exclude(last_seq=0)
    if query:
        found = found.filter(
            Q(client__name__icontains=query)
            | Q(client__email__icontains=query)
            | Q(client__external_id__icontains=query)
        )
    if chosen == "needs":
        return found.filter(NEEDS_HUMAN)
    if chosen == "ai":
        return found.filter(mode=Mode.AI)
    if chosen == "mine":
        return found.filter(mode=Mode.HUMAN, holder_id=caller.coach_id)
    return found


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and is_aware(moment) else None


def _row(conversation: Any, current: UUID | None) -> dict[str, Any]:
    status, label = status_of(conversation)
    name = conversation.client.display_name
    return {
        "id": conversation.id,
        "client_name": name,
        "initials": initials(name),
        "at": conversation.latest_at or conversation.last_message_at,
        "preview": _preview(conversation),
        "needs": conversation.needs_human or conversation.mode == Mode.WAITING,
        "unread": conversation.has_pending,
        "status": status,
        "status_label": label,
        "is_current": conversation.id == current,
    }


def status_of(conversation: Conversation) -> tuple[str, str]:
    """A style and a few words. `inbox-list.js` says the same of a row that changes live."""
    if conversation.mode == Mode.HUMAN:
        return "human", f"With {conversation.holder.name if conversation.holder else 'a coach'}"
    if conversation.mode == Mode.WAITING:
        return "waiting", "Waiting for you"
    if conversation.needs_human:
        return "needs", "Needs you"
    if conversation.mode == Mode.PAUSED:
        return "paused", "Clone paused"
    if conversation.mode == Mode.COMPLETED:
        return "completed", "Completed"
    return "ai", "With the clone"


def _preview(conversation: Any) -> str:
    """The last thing said on one line, without the marks of Markdown."""
    words = _MARKS.sub("", conversation.latest_content or "")[: 2 * PREVIEW_LENGTH].split()
    return (SPEAKER.get(conversation.latest_source, "") + " ".join(words))[:PREVIEW_LENGTH]
