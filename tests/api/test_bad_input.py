"""Bad input at every call that writes: a problem that says what to change, and nothing stored."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from django.apps import apps
from django.test import Client as Browser
from django.utils.timezone import now

from opencoach.accounts.models import ApiKey
from opencoach.accounts.secrets import sign_client_token
from opencoach.accounts.services import create_api_key
from opencoach.common.hops import close_hop_connections
from opencoach.common.rls import every_workspace, workspace_scope
from tests.architecture.conftest import Stage
from tests.architecture.roles import API
from tests.conftest import Cast, Person
from tests.live import WebProcess

MEGABYTE = "x" * 1_000_000
TEXT = [5, 1.5, True, ["x"], {"x": "y"}, "a\x00b", MEGABYTE]
MAYBE_TEXT = [*TEXT, None]
UUIDS = ["x", True, ["x"], {"x": "y"}, "a\x00b", 10**50, MEGABYTE, None]
CHOICE = [5, None, "x", ["x"], {"x": "y"}, "a\x00b", MEGABYTE]
NUMBER = ["5", "NaN", None, True, [1], {"x": 1}, 10**30, -1, MEGABYTE]


@dataclass
class Call:
    fields: dict[str, list[Any]]
    """What each field may not be."""
    good: dict[str, Any] = field(default_factory=dict)
    reads_body: bool = True


NOTHING = Call({})
_ONE = "conversations/<uuid:conversation_id>/"
CALLS = {
    "POST clients/": Call(
        {
            "external_id": [*MAYBE_TEXT, "", " "],
            "name": MAYBE_TEXT,
            "email": [*MAYBE_TEXT, "x"],
            "timezone": [*MAYBE_TEXT, "", "Mars/Olympus"],
            "coach": UUIDS,
        },
        {"external_id": "new"},
    ),
    "PATCH clients/<uuid:client_id>/": Call(
        {"name": MAYBE_TEXT, "email": MAYBE_TEXT, "timezone": MAYBE_TEXT, "coach": UUIDS}
    ),
    "POST clients/<uuid:client_id>/tokens/": NOTHING,
    "POST conversations/": Call({"client": UUIDS, "coach": UUIDS}, {"client": "<client_id>"}),
    f"POST {_ONE}messages/": Call(
        {"content": [*MAYBE_TEXT, "", " \n "], "client_message_id": [*TEXT, "a\nb", "x" * 101]},
        {"content": "Hello"},
    ),
    f"POST {_ONE}handback/": Call(
        {"mode": CHOICE, "note": MAYBE_TEXT}, {"mode": "only_new", "note": ""}
    ),
    f"POST {_ONE}takeover/": NOTHING,
    f"POST {_ONE}pause/": NOTHING,
    f"POST {_ONE}resume/": NOTHING,
    f"POST {_ONE}complete/": NOTHING,
    f"POST {_ONE}turns/<uuid:turn_id>/retry/": NOTHING,
    "POST documents/": Call(
        {
            "title": [*MAYBE_TEXT, ""],
            "text": [*(each for each in MAYBE_TEXT if each != MEGABYTE), "", " . "],
            "coach": UUIDS,
        },
        {"title": "Goals", "text": "A goal."},
    ),
    "POST documents/<uuid:document_id>/reprocess/": Call({}, reads_body=False),
    "POST knowledge/search/": Call(
        {
            "query": [*MAYBE_TEXT, ""],
            "top_k": [*NUMBER, 0, 51, 1.5],
            "min_score": [*NUMBER, 1.1],
            "coach": UUIDS,
        },
        {"query": "goals"},
    ),
}
READING_BODY = [entry for entry, call in CALLS.items() if call.reads_body]
NOT_JSON = [
    b"{",
    b'{"content": "x"',
    b"{'content': 'x'}",
    b'{"content": NaN}',
    b'{"content": "\\ud800"}',
    b'{"content": "\xff"}',
    b"\xef\xbb\xbf{}",
    b"{} {}",
    b"[" * 50_000,
    b'{"content": ' * 50_000,
    b'{"content": ' + b"9" * 5_000 + b"}",
]
NO_OBJECT = [b"null", b"[]", b'"text"', b"7", b"true"]
UNKNOWN = [b'{"nobody_knows_me": 1}', b'{"content ": 1}', b'{"a\\u0000": 1}', b'{"": 1}']


@pytest.fixture
def stage(committed_cast: Cast) -> Iterator[Stage]:
    yield Stage(committed_cast, Person(committed_cast.dana.user))
    close_hop_connections()


@dataclass
class Sender:
    """One call, as Alice makes it, on things of its own."""

    stage: Stage
    entry: str

    def __post_init__(self) -> None:
        self.arguments = self.stage.arguments()
        self.method, _, route = self.entry.partition(" ")
        for name, value in self.arguments.items():
            route = route.replace(f"<uuid:{name}>", value)
        self.path = f"/api/v1/{route}"
        # An integrator's key speaks for the client, where Alice herself would take over.
        _, key = create_api_key(workspace=self.stage.cast.workspace, name="site")
        self.browser = Browser(headers={"Authorization": f"Bearer {key}"})

    def send(self, body: bytes, content_type: str = "application/json") -> Any:
        return self.browser.generic(self.method, self.path, body, content_type=content_type)

    def send_fields(self, **fields: Any) -> Any:
        good = {
            name: self.arguments.get(str(value).strip("<>"), value)
            for name, value in CALLS[self.entry].good.items()
        }
        return self.send(json.dumps(good | fields).encode())


def problem(response: Any, *statuses: int) -> dict[str, Any]:
    assert response.status_code in statuses, response.content[:500]
    assert response["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["trace_id"] == response["X-Trace-Id"]
    assert document["detail"]
    assert len(response.content) < 20_000
    return document


def stored() -> dict[str, Any]:
    """All rows of every model of ours."""
    with every_workspace("all that is stored, to compare"):
        return {
            model._meta.label: sorted(map(repr, model._base_manager.values()))
            for model in apps.get_models()
            if hasattr(model, "workspace_id")
        }


def test_every_call_that_writes_has_its_line() -> None:
    assert set(CALLS) == {entry for entry in API if entry.startswith(("POST", "PATCH"))}


@pytest.mark.parametrize("entry", READING_BODY)
def test_a_body_that_is_no_json_object_is_refused(stage: Stage, entry: str) -> None:
    sender = Sender(stage, entry)
    before = stored()
    for body in [*NOT_JSON, *NO_OBJECT]:
        problem(sender.send(body), 400)
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
        problem(sender.send(b"{}", content_type), 415)
    problem(sender.send(b"{}" * 10_000_000), 400, 413)
    assert stored() == before


@pytest.mark.parametrize("entry", READING_BODY)
def test_an_unknown_field_is_named_with_those_that_are_known(stage: Stage, entry: str) -> None:
    sender = Sender(stage, entry)
    before = stored()
    for body in UNKNOWN:
        (error,) = problem(sender.send(body), 400)["errors"]
        assert error["code"] == "unknown_field"
        assert all(known in error["message"] for known in CALLS[entry].fields)
    assert stored() == before


@pytest.mark.parametrize(
    ("entry", "name"),
    [(entry, name) for entry, call in CALLS.items() for name in call.fields],
)
def test_a_field_that_is_wrong_is_named_with_what_it_must_be(
    stage: Stage, entry: str, name: str
) -> None:
    sender = Sender(stage, entry)
    before = stored()
    for value in CALLS[entry].fields[name]:
        document = problem(sender.send_fields(**{name: value}), 400)
        assert {error["field"] for error in document["errors"]} == {name}, value
        assert len(document["errors"][0]["message"]) > 10
    assert stored() == before


@pytest.mark.parametrize("entry", [e for e in READING_BODY if CALLS[e].good])
def test_an_empty_body_names_what_is_needed(stage: Stage, entry: str) -> None:
    sender = Sender(stage, entry)
    before = stored()
    for body in (b"", b"{}"):
        needed = {error["field"] for error in problem(sender.send(body), 400)["errors"]}
        assert needed
        assert needed <= set(CALLS[entry].good)
    assert stored() == before


@pytest.mark.parametrize("entry", CALLS)
def test_a_key_or_token_that_is_over_says_so_and_does_nothing(
    stage: Stage, entry: str, settings: Any
) -> None:
    sender = Sender(stage, entry)
    client = stage.cast.dana.client
    assert client
    token = sign_client_token(client.workspace_id, client.id)
    with workspace_scope(stage.cast.workspace.id):
        ApiKey.objects.update(revoked_at=now())
    before = stored()
    assert "revoked" in problem(sender.send_fields(), 401)["detail"]
    settings.CLIENT_TOKEN_SECONDS = -1
    sender.browser = Browser(headers={"Authorization": f"Bearer {token}"})
    expired = problem(sender.send_fields(), 401)
    assert expired["type"].endswith("expired_token")
    assert "mint a new one" in expired["detail"]
    for wrong in ("", "ock_", "oct_", "oct_\xff.x.y", "ock_" + "x" * 5_000, "Bearer"):
        sender.browser = Browser(headers={"Authorization": f"Bearer {wrong}"})
        problem(sender.send_fields(), 401)
    assert stored() == before


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=x", "limit=1.5", "limit=", "limit=%00", "limit=" + "9" * 5000,
        "cursor=nonsense", "cursor=%C3%A9", "cursor=cD1mb28=", "cursor=cD0lMDA=",
        "cursor=bz0tMQ==", "cursor=cj14",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["clients/", "conversations/", "documents/", f"{_ONE}messages/"])
def test_a_page_that_is_not_there_names_what_is_wrong(stage: Stage, path: str, query: str) -> None:
    path = path.replace("<uuid:conversation_id>", stage.arguments()["conversation_id"])
    answer = stage.browser("alice").get(f"/api/v1/{path}?{query}")
    (error,) = problem(answer, 400)["errors"]
    assert error["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("conversations/", "mode=x", "mode"),
        ("conversations/", "mode=%00", "mode"),
        ("conversations/", "client=1", "client"),
        ("conversations/", "needs_human=perhaps", "needs_human"),
        (f"{_ONE}messages/", "after=99999999999", "after"),
        (f"{_ONE}messages/", "after=-1", "after"),
        (f"{_ONE}messages/", "after=" + "9" * 5000, "after"),
        (f"{_ONE}messages/", "before=x", "before"),
        (f"{_ONE}messages/", "before=", "before"),
        (f"{_ONE}events/", "after=1e3", "after"),
        (f"{_ONE}events/", "after=%00", "after"),
        ("documents/", "status=%FF", "status"),
        ("usage/", "from=%00", "from"),
    ],
)
def test_a_filter_that_is_wrong_is_named(stage: Stage, path: str, query: str, name: str) -> None:
    path = path.replace("<uuid:conversation_id>", stage.arguments()["conversation_id"])
    answer = stage.browser("alice").get(f"/api/v1/{path}?{query}")
    assert [error["field"] for error in problem(answer, 400)["errors"]] == [name]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data"),
        (b"x", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary=b"),
        (b"--b--\r\n", "multipart/form-data; boundary=b"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\n", "multipart/form-data; boundary=b"),
        (b"--b\r\n\xff: \xff\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b"),
        (b"x", "multipart/form-data; boundary=" + "b" * 150),
    ],
)
def test_a_form_that_cannot_be_read_reaches_us_and_gets_a_problem(
    web: WebProcess, committed_cast: Cast, body: bytes, content_type: str
) -> None:
    """Twisted would have answered most of these itself, with a bare 400."""
    with web.http(committed_cast.alice) as alice:
        answer = alice.post(
            "/api/v1/documents/", content=body, headers={"Content-Type": content_type}
        )
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_an_id_used_for_another_text_is_refused_and_a_stream_of_it_ends(
    web: WebProcess, stage: Stage
) -> None:
    path = f"/api/v1/conversations/{stage.arguments()['conversation_id']}/messages/"
    sent = {"content": "One", "client_message_id": "1"}
    with web.http(stage.cast.dana) as dana:
        assert dana.post(path, json=sent, headers={"Prefer": "wait=30"}).status_code == 201
        before = stored()
        other = sent | {"content": "Two"}
        refused = dana.post(path, json=other)
        assert refused.json()["errors"][0]["code"] == "client_message_id_reused"
        streamed = dana.post(path, json=other, headers={"Accept": "text/event-stream"})
    assert streamed.text.startswith("event: error\n")
    assert "client_message_id_reused" in streamed.text
    assert stored() == before


def test_cookies_and_headers_of_any_kind_are_no_error_of_ours(web: WebProcess) -> None:
    for headers in (
        {"Cookie": 'sessionid="\\000abcdefgh"'},
        {"Cookie": "sessionid=" + "x" * 5_000},
        {"Cookie": 'sessionid="\\377\\377\\377\\377\\377\\377\\377\\377"'},
        {"traceparent": "00-zz-zz-zz"},
        {"Authorization": "Bearer"},
        {"Authorization": b"Bearer ock_\xff\xfe"},
        {"Authorization": "Basic eDp4"},
        {"Content-Length": "0", "Content-Type": "a/b; charset=nonsense"},
    ):
        answer = httpx.get(f"{web.url}/api/v1/clients/", headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 401, headers
        assert answer.headers["Content-Type"] == "application/problem+json"
