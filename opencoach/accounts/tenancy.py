"""What every tenant-owned model starts from."""

from uuid import UUID

from django.db import models

from opencoach.common.ids import uuid7


class TenantModel(models.Model):
    """A row of one workspace. Its migration also forces the policy (`IsolateByWorkspace`)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.CASCADE, related_name="+")

    workspace_id: UUID

    class Meta:
        abstract = True


class HotTenantModel(models.Model):
    """A tenant row that is written every turn.

    Its workspace key has no constraint of its own: checking it would lock the one workspace row
    from every turn at once (and write that lock to the log). The policy's check already refuses
    another workspace's id, and the row's other keys hold it to rows that exist.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(
        "accounts.Workspace",
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )

    workspace_id: UUID

    class Meta:
        abstract = True
