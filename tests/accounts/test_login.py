from typing import Any

import pytest
from django.test import Client as Browser

from opencoach.accounts.attempts import ATTEMPTS
from opencoach.accounts.models import User
from opencoach.accounts.services import create_workspace
from tests.conftest import PASSWORD, Cast

LOGIN = "/accounts/login/"


def log_in(email: str, password: str = PASSWORD, next_page: str = "", **request: Any) -> Any:
    body = {"username": email, "password": password, "next": next_page}
    return Browser().post(LOGIN, body, **request)


def test_each_person_arrives_where_they_work(cast: Cast) -> None:
    User.objects.create_superuser("root@example.com", PASSWORD)
    for email, home in [
        ("alice@example.com", "/coach/"),
        ("dana@example.com", "/"),
        ("root@example.com", "/admin/"),
    ]:
        response = log_in(email)
        assert (response.status_code, response["Location"]) == (302, home)


def test_the_address_may_be_typed_in_any_case(cast: Cast) -> None:
    assert log_in(" Alice@Example.COM ").status_code == 302


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/coach/clients/", "/coach/clients/"),
        ("https://evil.example/", "/coach/"),
        ("//e", "/coach/"),
    ],
)
def test_next_is_followed_on_this_site_only(cast: Cast, wanted: str, got: str) -> None:
    assert log_in("alice@example.com", next_page=wanted)["Location"] == got


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com", "a\x00b", "", "é"])
def test_a_wrong_log_in_says_nothing_of_who_exists(cast: Cast, email: str) -> None:
    response = log_in(email, "wrong")
    assert response.status_code == 200
    if "@" in email:
        assert b"do not go together" in response.content


def test_guessing_ends_after_ten_attempts_even_with_the_right_password(cast: Cast) -> None:
    for _ in range(ATTEMPTS):
        assert log_in("alice@example.com", "wrong").status_code == 200
    refused = log_in("ALICE@example.com")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert b"Too many attempts" in refused.content
    assert log_in("bob@example.com").status_code == 302
    assert log_in("alice@example.com", REMOTE_ADDR="203.0.113.9").status_code == 302


def test_a_log_in_that_works_clears_the_count(cast: Cast) -> None:
    for _ in range(2):
        for _ in range(ATTEMPTS - 1):
            log_in("alice@example.com", "wrong")
        assert log_in("alice@example.com").status_code == 302


def test_people_can_log_in_while_redis_is_away(cast: Cast, settings: Any) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    assert log_in("alice@example.com").status_code == 302


def test_whoever_is_signed_in_is_not_asked_again(cast: Cast) -> None:
    assert cast.alice.browser().get(LOGIN)["Location"] == "/coach/"


def test_log_out_ends_the_session(cast: Cast) -> None:
    browser = cast.alice.browser()
    assert browser.get("/api/v1/clients/").status_code == 200
    assert browser.post("/accounts/logout/")["Location"] == LOGIN
    assert browser.get("/api/v1/clients/").status_code == 401


def test_a_closed_account_is_out_at_once(cast: Cast) -> None:
    browser = cast.alice.browser()
    User.objects.filter(id=cast.alice.user.id).update(is_active=False)
    assert browser.get("/api/v1/clients/").status_code == 401
    assert log_in("alice@example.com").status_code == 200


def test_demo_log_ins_are_offered_where_there_is_a_demo_practice(cast: Cast) -> None:
    User.objects.create_user("coach@example.com", PASSWORD)
    assert Browser().get(LOGIN).context["demo_logins"] == []
    create_workspace(slug="demo", name="Demo")
    assert Browser().get(LOGIN).context["demo_logins"] == [
        {"email": "coach@example.com", "role": "coach"}
    ]
