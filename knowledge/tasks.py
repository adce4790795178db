from uuid import UUID

from celery import shared_task

from knowledge import ingest, services
from opencoach.common.problems import unavailable
from opencoach.common.rls import workspace_scope


@shared_task(
    name="knowledge.tasks.ingest_document",
    acks_late=True,
    autoretry_for=unavailable(),
    retry_backoff=5,
    retry_backoff_max=300,
    max_retries=8,
)
def ingest_document(workspace_id: str, document_id: str) -> None:
    with workspace_scope(workspace_id):
        ingest.ingest_document(UUID(document_id))


@shared_task(name="knowledge.tasks.resume_documents")
def resume_documents() -> int:
    """Documents whose worker was killed, or whose message to it was lost, are sent again."""
    return services.resend_overdue_documents()
