"""Documents in, passages out. Vectors live apart in a narrow table, which a search scans."""

from uuid import UUID

from django.db import models
from django.utils.timezone import now
from pgvector.django import HalfVectorField

from opencoach.accounts.tenancy import HotTenantModel, TenantModel

DIMENSIONS = 384


class DocumentStatus(models.TextChoices):
    QUEUED = "queued"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class Document(TenantModel):
    # The unique constraint below begins with the coach, and so is their index too.
    coach = models.ForeignKey(
        "accounts.Coach", on_delete=models.CASCADE, related_name="documents", db_index=False
    )
    title = models.CharField(max_length=200)
    text = models.TextField()
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the text.")
    status = models.CharField(max_length=10, choices=DocumentStatus, default=DocumentStatus.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent.")
    passage_count = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True, help_text="What to do about it, too.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Starts since it was queued.")
    lease_until = models.DateTimeField(
        default=now, help_text="While queued or processing: after this, whoever comes takes it up."
    )
    created_at = models.DateTimeField(default=now, editable=False)

    coach_id: UUID

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["coach", "digest"], name="same_text_once_per_coach")
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="documents_newest"),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(status__in=["queued", "processing"]),
                name="documents_under_way",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Passage(HotTenantModel):
    """About 500 tokens of a document, as retrieved and cited."""

    # As above: the unique constraint is the index.
    document = models.ForeignKey(
        Document, on_delete=models.CASCADE, related_name="passages", db_index=False
    )
    position = models.PositiveIntegerField()
    heading = models.CharField(max_length=300, blank=True, help_text="Heading path, › between.")
    text = models.TextField()
    start = models.PositiveIntegerField(help_text="Character offset in the document's text.")
    end = models.PositiveIntegerField()

    document_id: UUID

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "position"], name="passages_in_order")
        ]

    def __str__(self) -> str:
        return f"{self.document_id} #{self.position}"


class PassageVector(HotTenantModel):
    """A window of a passage as the embedder read it: a unit vector, in half precision.

    The local model reads 256 word pieces, half a passage, so each part of a passage has a vector
    that points to the whole. Narrow rows and a btree on the coach: a search scans a coach's rows,
    all of them, exactly. An index on the workspace would only slow the inserts down.
    """

    coach = models.ForeignKey(
        "accounts.Coach", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    passage = models.ForeignKey(Passage, on_delete=models.CASCADE, related_name="vectors")
    embedder = models.CharField(max_length=40)
    embedding = HalfVectorField(dimensions=DIMENSIONS)

    passage_id: UUID

    class Meta:
        # Both columns a search filters by, so that no row of the scan has to be tested for them.
        indexes = [models.Index(fields=["coach", "embedder"], name="vectors_of_coach")]

    def __str__(self) -> str:
        return f"vector of {self.passage_id}"
