"""The client's own page: their conversation with the coach's clone, and the ones before it."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from conversations.exceptions import Missing
from conversations.models import Conversation, Mode
from conversations.pages.shell import caller_of, client_page, initials
from conversations.pages.state import conversation_state, history_entry, with_title
from conversations.selectors import conversation_for, conversations_for
from conversations.services import start_conversation
from opencoach.accounts.access import Caller
from opencoach.accounts.models import Client

HISTORY = 50
OPENERS = (
    "I would like to think something through.",
    "I feel stuck and do not know where to begin.",
    "Help me get ready for a hard conversation.",
)
DEFAULT_GREETING = (
    "I am the AI clone of {coach}: I know how {coach} works, and {coach} can read along and join "
    "us. What would make this a good conversation for you?"
)


@client_page
@require_GET
def chat(request: HttpRequest, conversation_id: UUID | None = None) -> HttpResponse:
    caller = caller_of(request)
    conversation = _chosen(caller, conversation_id)
    coach = conversation.coach
    mine = with_title(conversations_for(caller)).order_by("-last_message_at")[:HISTORY]
    return render(
        request,
        "chat/chat.html",
        {
            "state": conversation_state(conversation, caller),
            "coach": coach,
            "greeting": coach.greeting or DEFAULT_GREETING.format(coach=coach.name),
            "openers": OPENERS,
            "conversations": [history_entry(each, current=conversation) for each in mine],
            "me_name": caller.name,
            "me_first_name": caller.name.split()[0] if "@" not in caller.name else "",
            "me_initials": initials(caller.name),
        },
    )


@client_page
@require_POST
def new_conversation(request: HttpRequest) -> HttpResponse:
    return redirect("pages:chat_conversation", _fresh(caller_of(request)).id)


def _chosen(caller: Caller, conversation_id: UUID | None) -> Conversation:
    """The one named in the address, else the latest; a first visit begins the first one."""
    if conversation_id is None:
        latest = conversations_for(caller).order_by("-last_message_at").first()
        return latest or _fresh(caller)
    try:
        return conversation_for(caller, conversation_id)
    except Missing:
        raise Http404 from None


def _fresh(caller: Caller) -> Conversation:
    """A conversation nobody has said anything in: the one that is there, or a new one."""
    assert caller.client_id, "the chat only lets clients in"
    unused = conversations_for(caller).filter(last_seq=0, mode=Mode.AI).first()
    return unused or start_conversation(
        client=Client.objects.select_related("coach").get(id=caller.client_id)
    )
