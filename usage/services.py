"""Writing the ledger and the price list. Whoever calls names the workspace scope."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction

from usage.models import LedgerEntry, ModelPrice, Status
from usage.prices import cost_of, forget_prices

_FIELDS = LedgerEntry._meta.concrete_fields
_ATTRIBUTES = [field.attname for field in _FIELDS]
# A commit whose acknowledgement was lost is tried again, with the same rows.
_INSERT = "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT (id) DO NOTHING".format(  # noqa: S608 - names of our own columns
    LedgerEntry._meta.db_table,
    ", ".join(str(field.column) for field in _FIELDS),
    ", ".join(["%s"] * len(_FIELDS)),
)


def record_entries(entries: Sequence[LedgerEntry]) -> None:
    """Sets each cost and writes all with one insert, in the caller's transaction."""
    for entry in entries:
        entry.cost_usd = cost_of(entry)
    # Every turn writes here. `bulk_create` takes three times the CPU of the statement it makes.
    rows = [[getattr(entry, name) for name in _ATTRIBUTES] for entry in entries]
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, rows)


def record_abandoned(
    *,
    workspace_id: UUID,
    action: str,
    person_id: UUID | None = None,
    conversation_id: UUID | None = None,
    turn_id: UUID | None = None,
    provider: str = "",
    model: str = "",
    trace_id: str = "",
) -> LedgerEntry:
    """One row for a call whose process died in the middle: that it was made is all we know.

    The sweeper writes it where it takes over such a turn, so no call is missing from the ledger.
    """
    return LedgerEntry.objects.create(
        workspace_id=workspace_id,
        action=action,
        person_id=person_id,
        conversation_id=conversation_id,
        turn_id=turn_id,
        provider=provider,
        model=model,
        trace_id=trace_id,
        status=Status.ABANDONED,
        error="the process died during the call",
        estimated=True,
    )


def add_price(price: ModelPrice) -> None:
    """From the commit on, in this process; in others within a minute."""
    price.save(force_insert=True)
    transaction.on_commit(forget_prices)
