"""Writing knowledge: a document is stored at once, and `knowledge.ingest` reads it later."""

from datetime import timedelta
from functools import partial
from hashlib import sha256
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from knowledge.models import Document, DocumentStatus
from knowledge.texts import clean, clean_title
from opencoach.accounts.models import Coach
from opencoach.common.rls import every_workspace

# A queue may be long; a document that nobody came for in this time is sent again.
QUEUED_FOR = timedelta(minutes=10)
_RESENT_AT_ONCE = 200


def add_document(*, coach: Coach, title: str, text: str) -> tuple[Document, bool]:
    """The document, and whether it is new: a coach has the same text once, under its first title.

    One that failed is tried again. Raises `DocumentRefused`.
    """
    text = clean(text)
    with transaction.atomic():
        document, created = Document.objects.get_or_create(
            coach=coach,
            digest=sha256(text.encode()).digest(),
            defaults={
                "workspace_id": coach.workspace_id,
                "title": clean_title(title),
                "text": text,
                "lease_until": now() + QUEUED_FOR,
            },
        )
        if created:
            _send(document.workspace_id, document.id)
    if document.status == DocumentStatus.FAILED:
        reprocess_document(document)
    return document, created


def reprocess_document(document: Document) -> None:
    """Reads it again, unless that is under way. Until it is done, its old passages are found."""
    finished = [DocumentStatus.READY, DocumentStatus.FAILED]
    with transaction.atomic():
        if Document.objects.filter(id=document.id, status__in=finished).update(
            status=DocumentStatus.QUEUED,
            progress=0,
            attempts=0,
            error="",
            lease_until=now() + QUEUED_FOR,
        ):
            _send(document.workspace_id, document.id)
    document.refresh_from_db(fields=["status", "progress", "error"])


def delete_document(document: Document) -> None:
    """With its passages and vectors. Whoever is reading it finds out and stops."""
    with transaction.atomic():
        # Under its lock: a reader who stored passages in between would leave them behind.
        for locked in Document.objects.filter(id=document.id).select_for_update():
            locked.delete()


def _send(workspace_id: UUID, document_id: UUID) -> None:
    """To a worker, once the row is there. With no broker it is found later, by its lease."""
    from knowledge import tasks  # which call these services

    send = partial(tasks.ingest_document.delay, str(workspace_id), str(document_id))
    transaction.on_commit(send, robust=True)


def resend_overdue_documents() -> int:
    """Queues those again that nobody came for and those whose reader died; returns how many."""
    with (
        every_workspace("workers die with documents of any workspace in their hands"),
        transaction.atomic(),
    ):
        overdue = list(
            Document.objects.filter(
                status__in=[DocumentStatus.QUEUED, DocumentStatus.PROCESSING],
                lease_until__lt=now(),
            )
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("lease_until")
            .values_list("workspace_id", "id")[:_RESENT_AT_ONCE]
        )
        Document.objects.filter(id__in=[document_id for _, document_id in overdue]).update(
            status=DocumentStatus.QUEUED, lease_until=now() + QUEUED_FOR
        )
        for workspace_id, document_id in overdue:
            _send(workspace_id, document_id)
    return len(overdue)
