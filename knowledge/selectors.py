"""Reading what services write; passages come out through `knowledge.retrieval` alone."""

from uuid import UUID

from django.db.models import QuerySet

from knowledge.models import Document


def documents_in(workspace_id: UUID) -> QuerySet[Document]:
    """Without their text, which may be two megabytes each."""
    return Document.objects.filter(workspace_id=workspace_id).defer("text", "digest")
