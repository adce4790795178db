"""Bad input gets a problem document that says what to change, and never a 500."""

from typing import Any

import pytest
from django.test import Client as Browser

from opencoach.accounts.services import create_api_key
from tests.conftest import Cast

CLIENTS = "/api/v1/clients/"


@pytest.fixture
def key(cast: Cast) -> str:
    return create_api_key(workspace=cast.workspace, name="site")[1]


def send(key: str, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
    return Browser(raise_request_exception=True).post(
        CLIENTS,
        body,
        content_type=content_type,
        headers={"Authorization": f"Bearer {key}", **headers},
    )


def problem(response: Any, status: int) -> Any:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert {"type", "title", "detail", "trace_id"} <= set(document)
    assert document["trace_id"] == response["X-Trace-Id"]
    assert document["detail"]
    return document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'external_id': 'x'}",
        b'{"external_id": NaN}',
        b'{"external_id": Infinity}',
        b'{"external_id": "\\ud800"}',
        b'{"\\udfff": "x"}',
        b'{"external_id": "\xff"}',
        b"\xff\xfe{\x00}\x00",
        b'{"external_id": "x"} {}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"external_id": ' + b"9" * 5_000 + b"}",
        b"null",
        b'"text"',
        b"7",
        b"[]",
        b'{"external_id": {"a": 1}}',
        b'{"external_id": true}',
        b'{"external_id": null}',
        b'{"external_id": "a\\u0000b"}',
        b'{"external_id": "x", "external_id ": "x"}',
        b'{"external_id": "x", "a\\u0000": 1}',
    ],
)
def test_a_body_that_is_not_what_we_asked_for_is_a_400(key: str, body: bytes) -> None:
    document = problem(send(key, body), 400)
    for error in document.get("errors", []):
        assert set(error) == {"field", "code", "message"}


def test_a_megabyte_in_a_field_is_refused_by_its_length(key: str) -> None:
    document = problem(send(key, b'{"external_id": "' + b"x" * 1_000_000 + b'"}'), 400)
    assert document["errors"][0]["code"] == "max_length"
    assert len(document["errors"][0]["message"]) < 300


def test_a_body_past_the_limit_is_a_413(key: str) -> None:
    problem(send(key, b'{"external_id": "' + b"x" * 5_000_000 + b'"}'), 413)


def test_unknown_fields_are_named_with_the_ones_we_know(key: str) -> None:
    (error,) = problem(send(key, b'{"external_id": "x", "nick": 1}'), 400)["errors"]
    assert (error["field"], error["code"]) == ("nick", "unknown_field")
    assert "external_id" in error["message"]


def test_a_thousand_unknown_fields_make_a_short_answer(key: str) -> None:
    fields = b", ".join(b'"%s%d": 1' % (b"f" * 200, number) for number in range(1000))
    assert len(send(key, b"{" + fields + b"}").content) < 20_000


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "", "multipart/form-data"]
)
def test_a_body_that_is_not_json_is_a_415(key: str, content_type: str) -> None:
    problem(send(key, b"external_id=x", content_type), 415)


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=1", "nonsense", "*/*"])
def test_whatever_is_accepted_the_answer_is_json(key: str, accept: str) -> None:
    response = send(key, b'{"external_id": "x"}', Accept=accept)
    assert (response.status_code, response["Content-Type"]) == (201, "application/json")


def test_a_method_that_is_not_there_is_a_405_that_names_those_that_are(key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    response = Browser().put(CLIENTS, {}, content_type="application/json", headers=headers)
    problem(response, 405)
    assert set(response["Allow"].split(", ")) >= {"GET", "POST"}


def test_nobody_is_told_how_to_sign_in(db: None) -> None:
    response = Browser().get(CLIENTS)
    problem(response, 401)
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/clients/not-a-uuid/",
        "/api/v1/nothing/",
        "/api/v1/clients/00000000-0000-0000-0000-000000000000/",
    ],
)
def test_an_address_with_nothing_behind_it_is_a_404_problem(key: str, path: str) -> None:
    problem(Browser().get(path, headers={"Authorization": f"Bearer {key}"}), 404)


@pytest.mark.parametrize("query", ["cursor=nonsense", "limit=x", "limit=-1", "limit=99999999999"])
def test_a_page_that_is_not_there_is_no_500(key: str, query: str) -> None:
    answer = Browser().get(f"{CLIENTS}?{query}", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code in (200, 400, 404), answer.content
    if answer.status_code != 200:
        problem(answer, answer.status_code)


def test_a_session_without_the_csrf_token_changes_nothing(cast: Cast) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(cast.alice.user)
    response = browser.post(CLIENTS, {"external_id": "x"}, content_type="application/json")
    problem(response, 403)
