"""`/api/v1/usage/`: sums by day, model, action and client, of one's own workspace."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from opencoach.common.rls import workspace_scope
from tests.conftest import Cast
from usage.models import LedgerEntry, Status

URL = "/api/v1/usage/"
TODAY = datetime.now(UTC)


def use(cast: Cast, *, days_ago: int = 0, elsewhere: bool = False, **fields: Any) -> None:
    workspace = cast.elsewhere if elsewhere else cast.workspace
    defaults = {
        "provider": "openai",
        "model": "m",
        "action": "reply",
        "status": Status.OK,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "cached_tokens": 40,
        "cost_usd": Decimal("0.5"),
        "created_at": TODAY - timedelta(days=days_ago),
    }
    with workspace_scope(workspace.id):
        LedgerEntry.objects.create(workspace_id=workspace.id, **(defaults | fields))


def asked(cast: Cast, **query: str) -> list[dict[str, Any]]:
    response = cast.alice.browser().get(URL, query)
    assert response.status_code == 200, response.content
    return list(response.json()["results"])


def test_a_day_is_summed(cast: Cast) -> None:
    use(cast)
    use(cast, status=Status.FAILED, cost_usd=None, prompt_tokens=0)
    assert asked(cast) == [
        {
            "day": TODAY.date().isoformat(),
            "calls": 2,
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "cached_tokens": 80,
            "cost_usd": "0.50000000",
            "unpriced": 1,
            "errors": 1,
        }
    ]


def test_days_come_in_order_and_only_those_asked_for(cast: Cast) -> None:
    for days_ago in (0, 3, 1, 40):
        use(cast, days_ago=days_ago)
    days = [row["day"] for row in asked(cast)]
    assert days == sorted(days)
    assert len(days) == 3
    yesterday = (TODAY - timedelta(days=1)).date().isoformat()
    assert [row["day"] for row in asked(cast, **{"from": yesterday, "to": yesterday})] == [
        yesterday
    ]


@pytest.mark.parametrize(
    ("group", "field", "values"),
    [
        ("model", "model", ["dear", "cheap"]),
        ("action", "action", ["reply", "analysis"]),
    ],
)
def test_other_groups_come_dearest_first(
    cast: Cast, group: str, field: str, values: list[str]
) -> None:
    use(cast, **{field: values[1], "cost_usd": Decimal("0.1")})
    use(cast, **{field: values[0], "cost_usd": Decimal("9")})
    assert [row[group] for row in asked(cast, group_by=group)] == values


def test_clients_are_told_apart(cast: Cast) -> None:
    assert cast.dana.client
    use(cast, person_id=cast.dana.client.id)
    use(cast, cost_usd=Decimal(0))
    assert [row["client"] for row in asked(cast, group_by="client")] == [
        str(cast.dana.client.id),
        None,
    ]


def test_another_workspaces_use_is_not_counted(cast: Cast) -> None:
    use(cast, elsewhere=True)
    assert asked(cast) == []
    assert cast.charlie.browser().get(URL).json()["results"][0]["calls"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"group_by": "moon"}, "group_by"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-02-30"}, "to"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "from"),
        ({"from": "2020-01-01", "to": "2026-01-01"}, "from"),
        ({"to": "0001-01-05"}, "to"),
        ({"from": "9999-12-31", "to": "9999-12-31"}, "to"),
        ({"to": "2020-01-01"}, "from"),
        ({"grupo": "day"}, "grupo"),
        ({"from": "2026-01-01\x00"}, "from"),
    ],
)
def test_a_bad_question_says_what_to_change(cast: Cast, query: dict[str, str], field: str) -> None:
    response = cast.alice.browser().get(URL, query)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_a_client_and_nobody_may_not_ask(cast: Cast, client: Any) -> None:
    assert cast.dana.browser().get(URL).status_code == 403
    assert client.get(URL).status_code == 401
    assert cast.bob.browser().get(URL).status_code == 200
