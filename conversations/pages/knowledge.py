"""The coach's documents, as the clone has read them. Uploads go through the API."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from conversations.pages.shell import caller_of, coach_page, shell
from knowledge.models import Document
from opencoach.accounts.access import Caller

SHOWN = 300
LABELS = {"queued": "Waiting", "processing": "Reading", "ready": "Ready", "failed": "Failed"}


@coach_page
@require_GET
def knowledge(request: HttpRequest) -> HttpResponse:
    context = shell(request, "knowledge") | _context(caller_of(request))
    return render(request, "coach/knowledge.html", context)


@coach_page
@require_GET
def documents(request: HttpRequest) -> HttpResponse:
    return render(request, "coach/_documents.html", _context(caller_of(request)))


def _context(caller: Caller) -> dict[str, Any]:
    """A coach sees what their own clone reads; who does not coach sees the whole practice's."""
    found = Document.objects.filter(workspace_id=caller.workspace_id).defer("text", "digest")
    if caller.coach_id:
        found = found.filter(coach_id=caller.coach_id)
    return {
        "documents": [
            {
                "id": document.id,
                "title": document.title,
                "status": document.status,
                "status_label": _label(document),
                "passages": document.passage_count,
                "error": document.error,
                "created_at": document.created_at,
            }
            for document in found.order_by("-id")[:SHOWN]
        ],
        "shown": SHOWN,
    }


def _label(document: Document) -> str:
    if document.status == "processing" and document.progress:
        return f"Reading, {document.progress} %"
    return LABELS[document.status]
