"""The one way in: a stored document becomes passages and vectors.

Whoever reads it holds a lease and renews it as the work goes on; once it is over, anyone may take
the document up again. All passages and vectors of a document change in one transaction, so a
search finds the old ones or the new ones, whoever is killed in between.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.timezone import now

from knowledge.models import Document, DocumentStatus, Passage, PassageVector
from knowledge.passages import CutPassage, cut_passages
from opencoach.ai import embeddings
from opencoach.common.problems import unavailable

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 5
_EMBEDDED_AT_ONCE = 16
_STORED_AT_ONCE = 500


class _LeaseLost(Exception):
    """The document was deleted, or somebody else has it now."""


def ingest_document(document_id: UUID) -> None:
    """Reads a document into passages. Does nothing where it is done or in somebody's hands.

    A text that cannot be read becomes a failed document with the reason on it; a server that is
    away is raised, to be tried again.
    """
    document = _take_up(document_id)
    if document is None:
        return
    try:
        cut = list(
            cut_passages(
                document.text,
                title=document.title,
                count_tokens=embeddings.count_tokens,
                readable_tokens=embeddings.readable_tokens(),
            )
        )
        _store(document, cut, _embed(document, cut))
    except _LeaseLost:
        log.info("document_left_to_another", document=str(document_id))
    except unavailable():
        raise
    except Exception:
        log.exception("document_failed", document=str(document_id))
        _fail(document, "We could not read it. The error was logged; reprocess it to try again.")


def _take_up(document_id: UUID) -> Document | None:
    free = Q(status=DocumentStatus.QUEUED) | Q(
        status=DocumentStatus.PROCESSING, lease_until__lt=now()
    )
    taken = Document.objects.filter(free, id=document_id).update(
        status=DocumentStatus.PROCESSING,
        progress=0,
        attempts=F("attempts") + 1,
        lease_until=now() + LEASE,
    )
    document = Document.objects.filter(id=document_id).first() if taken else None
    if document and document.attempts > MAX_ATTEMPTS:
        _fail(document, f"The work on it broke off {MAX_ATTEMPTS} times. Try a shorter text.")
        return None
    return document


def _held(document: Document) -> QuerySet[Document]:
    """The row, as long as it is in our hands: each taking up has its own number of attempts."""
    return Document.objects.filter(
        id=document.id, status=DocumentStatus.PROCESSING, attempts=document.attempts
    )


def _embed(document: Document, cut: Sequence[CutPassage]) -> list[embeddings.Vector]:
    """A vector for each window of each passage, in order; renews the lease as it goes."""
    windows = [window for passage in cut for window in passage.windows]
    vectors: list[embeddings.Vector] = []
    for done in range(0, len(windows), _EMBEDDED_AT_ONCE):
        progress = 5 + 90 * done // len(windows)
        if not _held(document).update(progress=progress, lease_until=now() + LEASE):
            raise _LeaseLost
        vectors.extend(embeddings.embed_texts(windows[done : done + _EMBEDDED_AT_ONCE]))
    return vectors


@transaction.atomic
def _store(
    document: Document, cut: Sequence[CutPassage], vectors: Sequence[embeddings.Vector]
) -> None:
    # The update also locks the row: two readers cannot both replace the passages.
    if not _held(document).update(
        status=DocumentStatus.READY, progress=100, passage_count=len(cut), error=""
    ):
        raise _LeaseLost
    Passage.objects.filter(document=document).delete()
    passages = [
        Passage(
            workspace_id=document.workspace_id,
            document=document,
            position=position,
            heading=passage.heading,
            text=passage.text,
            start=passage.start,
            end=passage.end,
        )
        for position, passage in enumerate(cut)
    ]
    of_window = [row for row, passage in zip(passages, cut, strict=True) for _ in passage.windows]
    Passage.objects.bulk_create(passages, batch_size=_STORED_AT_ONCE)
    PassageVector.objects.bulk_create(
        (
            PassageVector(
                workspace_id=document.workspace_id,
                coach_id=document.coach_id,
                passage=passage,
                embedder=embeddings.embedder_name(),
                embedding=vector,
            )
            for passage, vector in zip(of_window, vectors, strict=True)
        ),
        batch_size=_STORED_AT_ONCE,
    )


def _fail(document: Document, reason: str) -> None:
    _held(document).update(status=DocumentStatus.FAILED, progress=0, error=reason)
