"""Reading what services write; what answers a question comes from `knowledge.retrieval` alone."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from knowledge.models import Document, Passage


def documents_in(workspace_id: UUID) -> QuerySet[Document]:
    """Without their text, which may be two megabytes each."""
    return Document.objects.filter(workspace_id=workspace_id).defer("text", "digest")


def passages_by_id(ids: Iterable[UUID | str]) -> dict[str, Passage]:
    """Passages that were retrieved before, by their id as text; deleted ones are left out."""
    found = Passage.objects.filter(id__in=list(ids)).only("heading", "start", "end", "text")
    return {str(passage.id): passage for passage in found}
