"""The people who are coached: find them, add one, open the conversation."""

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.db.models import OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from conversations.models import Conversation
from conversations.pages.forms import ClientForm
from conversations.pages.shell import asked, caller_of, coach_page, initials, is_part, shell
from conversations.services import start_conversation
from opencoach.accounts.access import Caller
from opencoach.accounts.models import Client
from opencoach.accounts.selectors import coach_for_new_clients
from opencoach.accounts.services import create_client

SHOWN = 200


@coach_page
@require_GET
def clients(request: HttpRequest) -> HttpResponse:
    query = asked(request, "q")
    context = {"clients": _rows(caller_of(request), query), "query": query, "shown": SHOWN}
    if is_part(request):
        return render(request, "coach/_clients.html", context)
    context |= shell(request, "clients") | {"client_form": ClientForm()}
    return render(request, "coach/clients.html", context)


def _rows(caller: Caller, query: str) -> list[dict[str, Any]]:
    latest = Conversation.objects.filter(client=OuterRef("pk")).order_by("-last_message_at")
    found = Client.objects.filter(workspace_id=caller.workspace_id).annotate(
        conversation_id=Subquery(latest.values("id")[:1]),
        last_message_at=Subquery(latest.exclude(last_seq=0).values("last_message_at")[:1]),
    )
    if query:
        found = found.filter(
            Q(name__icontains=query) | Q(email__icontains=query) | Q(external_id__icontains=query)
        )
    return [
        {
            "id": client.id,
            "name": client.display_name,
            "email": client.email,
            "initials": initials(client.display_name),
            "conversation_id": client.conversation_id,
            "last_message_at": client.last_message_at,
        }
        for client in found.order_by("name", "id")[:SHOWN]
    ]


@coach_page
@require_POST
def create(request: HttpRequest) -> HttpResponse:
    caller = caller_of(request)
    form = ClientForm(request.POST)
    if not form.is_valid():
        context = {"clients": _rows(caller, ""), "client_form": form, "shown": SHOWN}
        context |= shell(request, "clients")
        return render(request, "coach/clients.html", context, status=422)
    coach = coach_for_new_clients(caller.workspace_id, caller.coach_id)
    if coach is None:
        messages.error(request, "This practice has no coach yet who could take a client.")
        return redirect("pages:clients")
    # Who is added by hand has no id in somebody else's system; any unused one will do.
    client, _ = create_client(coach=coach, external_id=f"page-{uuid4()}", **form.cleaned_data)
    messages.success(request, f"{client.display_name} is on your list.")
    return redirect("pages:clients")


@coach_page
@require_POST
def open_conversation(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """The latest conversation with this client, or the first one."""
    found = Client.objects.select_related("coach").filter(
        workspace_id=caller_of(request).workspace_id
    )
    client = get_object_or_404(found, id=client_id)
    latest = client.conversations.order_by("-last_message_at").first()
    return redirect("pages:inbox_conversation", (latest or start_conversation(client=client)).id)
