from typing import Any

from django.test import Client as Browser

TOKEN = "scrape-me"


def scrape(**request: Any) -> Any:
    return Browser().get("/metrics", **request)


def test_requests_are_counted_by_route_and_not_by_address(db: None) -> None:
    Browser().get("/healthz")
    Browser().get("/no/such/page/12345")
    text = scrape().content.decode()
    assert 'opencoach_http_requests_total{method="GET",route="healthz",status="200"}' in text
    assert "12345" not in text


def test_a_method_of_ones_own_makes_no_series_of_its_own() -> None:
    Browser().generic("BREW", "/healthz")
    text = scrape().content.decode()
    assert "BREW" not in text
    assert 'method="other"' in text


def test_without_a_token_only_this_machine_may_read() -> None:
    assert scrape().status_code == 200
    assert scrape(REMOTE_ADDR="::1").status_code == 200
    assert scrape(REMOTE_ADDR="10.0.0.7").status_code == 404
    assert scrape(REMOTE_ADDR="").status_code == 404
    assert scrape(headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404


def test_with_a_token_the_token_is_what_counts(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert scrape().status_code == 404
    assert scrape(headers={"Authorization": "Bearer wrong"}).status_code == 404
    away = scrape(headers={"Authorization": f"Bearer {TOKEN}"}, REMOTE_ADDR="203.0.113.9")
    assert away.status_code == 200
