"""What a workspace used."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from usage.models import LedgerEntry, Status

Group = Literal["day", "model", "action", "client"]


def usage_by(
    *, workspace_id: UUID, group_by: Group, first_day: date, last_day: date
) -> list[dict[str, Any]]:
    """One row a group, both days (UTC) included; days in order, other groups dearest first.

    `calls` counts attempts, `errors` those that failed or whose process died. `cost_usd` sums the
    calls that have a price; `unpriced` counts the others.
    """
    rows = _grouped(group_by, _between(workspace_id, first_day, last_day)).annotate(
        calls=Count("id"),
        # Not under the columns' own names: each sum would then add up the sum before it.
        prompt=Sum("prompt_tokens"),
        completion=Sum("completion_tokens"),
        cached=Sum("cached_tokens"),
        cost=Coalesce(Sum("cost_usd"), Decimal(0)),
        unpriced=Count("id", filter=Q(cost_usd=None)),
        errors=Count("id", filter=Q(status__in=[Status.FAILED, Status.ABANDONED])),
    )
    order = ["day"] if group_by == "day" else ["-cost", "-calls", group_by]
    return [_row(group_by, row) for row in rows.order_by(*order)]


def _between(workspace_id: UUID, first_day: date, last_day: date) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(
        workspace_id=workspace_id,
        created_at__gte=datetime.combine(first_day, time.min, UTC),
        created_at__lte=datetime.combine(last_day, time.max, UTC),
    )


def _grouped(group_by: Group, entries: QuerySet[LedgerEntry]) -> Any:
    if group_by == "day":
        return entries.values(day=TruncDate("created_at", tzinfo=UTC))
    if group_by == "client":
        return entries.values(client=F("person_id"))
    return entries.values(group_by)


def _row(group_by: Group, row: dict[str, Any]) -> dict[str, Any]:
    return {
        group_by: row[group_by],
        "calls": row["calls"],
        "prompt_tokens": row["prompt"],
        "completion_tokens": row["completion"],
        "cached_tokens": row["cached"],
        "cost_usd": row["cost"],
        "unpriced": row["unpriced"],
        "errors": row["errors"],
    }
