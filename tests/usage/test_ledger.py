"""What a call cost, and that no row of it is lost or changed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from opencoach.common.ids import uuid7
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast
from usage.models import LedgerEntry, ModelPrice, Status
from usage.prices import cost_of, forget_prices
from usage.services import add_price, record_abandoned, record_entries

YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh_prices(db: None) -> None:
    forget_prices()


def price(
    model: str, prompt: str, *, cached: str = "0", completion: str = "0", day: int = 0
) -> None:
    ModelPrice.objects.create(
        provider="acme",
        model=model,
        valid_from=YEAR + timedelta(days=day),
        prompt_usd=Decimal(prompt),
        cached_usd=Decimal(cached),
        completion_usd=Decimal(completion),
    )


def entry(model: str = "m", *, day: int = 10, **fields: object) -> LedgerEntry:
    defaults = {"workspace_id": uuid7(), "provider": "acme", "action": "reply", "status": Status.OK}
    return LedgerEntry(model=model, created_at=YEAR + timedelta(days=day), **(defaults | fields))


def test_cached_tokens_cost_their_own_price() -> None:
    price("m", "2", cached="0.5", completion="10")
    used = entry(prompt_tokens=1000, cached_tokens=400, completion_tokens=50)
    assert cost_of(used) == Decimal("0.0019")  # (600 x 2 + 400 x 0.5 + 50 x 10) / 1e6


def test_a_call_costs_the_price_of_its_day() -> None:
    price("m", "1")
    price("m", "2", day=5)
    costs = [cost_of(entry(day=day, prompt_tokens=1_000_000)) for day in (-1, 0, 4, 5, 300)]
    assert costs == [None, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "model",
    [
        "m-4.1",
        "m-4.1-2026-04-14",
        "m-4.1-20260414",
        "m-4.1-20260414-v1:0",
        "eu.m-4.1-20260414-v1:0",
    ],
)
def test_a_snapshot_and_a_region_cost_what_their_model_costs(model: str) -> None:
    price("m-4.1", "3")
    assert cost_of(entry(model, prompt_tokens=1_000_000)) == 3


def test_another_size_of_a_model_has_another_price() -> None:
    price("m-4.1", "3")
    assert cost_of(entry("m-4.1-mini", prompt_tokens=1_000_000)) is None


def test_prices_are_read_once_a_minute(django_assert_num_queries: object) -> None:
    price("m", "1")
    cost_of(entry())
    with django_assert_num_queries(0):  # type: ignore[operator]
        cost_of(entry())
        cost_of(entry("without a price"))


def test_a_new_price_counts_at_once(django_capture_on_commit_callbacks: object) -> None:
    assert cost_of(entry(prompt_tokens=1_000_000)) is None
    new = ModelPrice(
        provider="acme", model="m", valid_from=YEAR, prompt_usd=4, cached_usd=0, completion_usd=0
    )
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        add_price(new)
    assert cost_of(entry(prompt_tokens=1_000_000)) == 4


def test_entries_are_written_with_their_cost_in_one_insert(
    cast: Cast, django_assert_num_queries: object
) -> None:
    price("m", "1")
    cost_of(entry())
    here = cast.workspace.id
    entries = [entry(workspace_id=here, prompt_tokens=1_000_000), entry("?", workspace_id=here)]
    with workspace_scope(here):
        LedgerEntry.objects.exists()  # names the workspace to the connection
        with django_assert_num_queries(1):  # type: ignore[operator]
            record_entries(entries)
        assert [e.cost_usd for e in LedgerEntry.objects.order_by("id")] == [1, None]


def test_an_entry_of_another_workspace_is_refused(cast: Cast) -> None:
    foreign = entry(workspace_id=cast.elsewhere.id)
    with workspace_scope(cast.workspace.id), pytest.raises(Exception, match="row-level security"):
        record_entries([foreign])


def test_an_abandoned_call_leaves_a_row_of_no_known_use(cast: Cast) -> None:
    with workspace_scope(cast.workspace.id):
        turn = uuid7()
        record_abandoned(workspace_id=cast.workspace.id, action="reply", turn_id=turn)
        row = LedgerEntry.objects.get(turn_id=turn)
    assert (row.status, row.estimated, row.prompt_tokens) == ("abandoned", True, 0)
    assert row.cost_usd is None


def test_the_ledger_cannot_be_changed(cast: Cast) -> None:
    with workspace_scope(cast.workspace.id):
        row = record_abandoned(workspace_id=cast.workspace.id, action="reply")
        rows = LedgerEntry.objects.filter(id=row.id)
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            rows.update(prompt_tokens=1)
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            rows.delete()
