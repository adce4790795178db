"""The admin reads the ledger and adds prices; it changes neither."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser

from opencoach.accounts.models import User
from usage.models import ModelPrice


@pytest.fixture
def admin(db: None) -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root@example.com", "correct horse"))
    return browser


def test_a_price_is_added_and_never_changed(admin: Browser) -> None:
    form = {
        "provider": "acme",
        "model": "m",
        "valid_from_0": "2026-01-01",
        "valid_from_1": "00:00:00",
        "prompt_usd": "1.5",
        "cached_usd": "0.1",
        "completion_usd": "6",
    }
    assert admin.post("/admin/usage/modelprice/add/", form).status_code == 302
    price = ModelPrice.objects.get(provider="acme")
    assert price.prompt_usd == Decimal("1.5")
    page = f"/admin/usage/modelprice/{price.id}/change/"
    assert admin.post(page, form | {"prompt_usd": "0"}).status_code == 403
    assert admin.post(page.replace("change", "delete"), {"post": "yes"}).status_code == 403


def test_the_ledger_is_read_without_counting_all_of_it(
    admin: Browser, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(12) as queries:
        assert admin.get("/admin/usage/ledgerentry/").status_code == 200
    counted = [q["sql"] for q in queries.captured_queries if "COUNT(*)" in q["sql"]]
    assert all("LIMIT 5000" in sql for sql in counted)
    assert admin.get("/admin/usage/ledgerentry/add/").status_code == 403
