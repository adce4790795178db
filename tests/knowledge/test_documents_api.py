import json
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from knowledge.models import Document
from opencoach.accounts.models import Coach, Workspace
from opencoach.accounts.scopes import ALL_SCOPES, Scope
from opencoach.accounts.services import create_api_key
from opencoach.common.rls import every_workspace, workspace_scope
from tests.conftest import Cast, Person
from tests.knowledge.conftest import RETAINER, SLEEP, Known

DOCUMENTS = "/api/v1/documents/"
SEARCH = "/api/v1/knowledge/search/"


def send(who: Person | Browser, path: str, body: Any = None, method: str = "POST") -> Any:
    browser = who.browser() if isinstance(who, Person) else who
    data = json.dumps(body) if body is not None else ""
    return browser.generic(method, path, data, content_type="application/json")


def upload(who: Person, data: bytes, name: str = "a-retainer.md", **fields: str) -> Any:
    return who.browser().post(DOCUMENTS, {"file": SimpleUploadedFile(name, data), **fields})


def key_of(workspace: Workspace, scopes: frozenset[str] = ALL_SCOPES) -> Browser:
    with workspace_scope(workspace.id):
        key = create_api_key(workspace=workspace, name="site", scopes=scopes)[1]
    return Browser(headers={"Authorization": f"Bearer {key}"})


def problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["detail"]
    return body


def errors(response: Any) -> dict[str, str]:
    return {e["field"]: e["message"] for e in problem(response, 400)["errors"]}


def test_a_text_is_taken_and_shown_as_it_is_read(cast: Cast, known: Known) -> None:
    taken = send(cast.alice, DOCUMENTS, {"title": " Pricing\n notes ", "text": RETAINER})
    assert taken.status_code == 201
    shown = taken.json()
    assert set(shown) == {
        "id", "title", "coach", "status", "progress", "passages", "error", "created_at",
    }  # fmt: skip
    assert cast.alice.coach
    assert shown["coach"] == str(cast.alice.coach.id)
    assert (shown["title"], shown["status"], shown["progress"]) == ("Pricing notes", "queued", 0)
    known(cast.alice.coach)
    read = send(cast.alice, f"{DOCUMENTS}{shown['id']}/", method="GET").json()
    assert (read["status"], read["progress"], read["passages"]) == ("ready", 100, 1)


def test_a_file_is_taken_under_its_name_or_a_title(cast: Cast) -> None:
    assert upload(cast.bob, RETAINER.encode()).json()["title"] == "a retainer"
    named = upload(cast.bob, SLEEP.encode("utf-16"), title="Nights")
    assert (named.status_code, named.json()["title"]) == (201, "Nights")
    with workspace_scope(cast.workspace.id):
        assert Document.objects.get(title="Nights").text == SLEEP


def test_the_same_text_again_is_200_and_the_first_document(cast: Cast) -> None:
    first = upload(cast.alice, RETAINER.encode())
    again = send(cast.alice, DOCUMENTS, {"title": "Again", "text": RETAINER})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


def test_what_is_not_a_text_is_refused_with_what_to_do(cast: Cast) -> None:
    assert "upload .txt or .md" in errors(upload(cast.alice, b"%PDF-1.7\n\x00"))["file"]
    assert errors(upload(cast.alice, b"")) == {"file": "There is no text in it."}
    assert "text" in errors(send(cast.alice, DOCUMENTS, {"title": "T", "text": " \n "}))
    assert "text" in errors(send(cast.alice, DOCUMENTS, {"title": "T", "text": "a\x00b"}))
    assert "file" in errors(cast.alice.browser().post(DOCUMENTS, {"title": "no file"}))
    assert set(errors(send(cast.alice, DOCUMENTS, {"url": 1}))) >= {"url"}
    with workspace_scope(cast.workspace.id):
        assert not Document.objects.exists()


def test_a_body_that_is_no_form_is_a_problem(cast: Cast) -> None:
    browser = cast.alice.browser()
    for kind, status in (
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=x", 400),
        ("text/plain", 415),
        ("application/json", 400),
    ):
        problem(browser.generic("POST", DOCUMENTS, b"\xff{not", content_type=kind), status)


@pytest.mark.parametrize("characters", [2_000_001, 13_000_000])
def test_too_much_text_is_413(cast: Cast, characters: int) -> None:
    text = "word " * (characters // 5 + 1)
    for response in (
        send(cast.alice, DOCUMENTS, {"title": "T", "text": text}),
        upload(cast.alice, text.encode()),
    ):
        assert "2,000,000" in problem(response, 413)["detail"]


def test_a_form_field_of_megabytes_is_a_problem(cast: Cast) -> None:
    problem(upload(cast.alice, b"words", title="x" * 5_000_000), 413)
    many = {f"field{n}": "x" for n in range(1_100)}
    problem(upload(cast.alice, b"words", **many), 400)


def test_a_document_may_be_a_teammates(cast: Cast) -> None:
    assert cast.bob.coach
    body = {"title": "T", "text": RETAINER, "coach": str(cast.bob.coach.id)}
    assert send(cast.alice, DOCUMENTS, body).json()["coach"] == str(cast.bob.coach.id)
    assert cast.charlie.coach
    for stranger in (cast.charlie.coach.id, uuid4()):
        refused = errors(send(cast.alice, DOCUMENTS, body | {"coach": str(stranger)}))
        assert refused == {"coach": "There is no such coach in this workspace."}


def test_a_keys_document_is_the_first_coachs(cast: Cast) -> None:
    assert cast.alice.coach
    taken = send(key_of(cast.workspace), DOCUMENTS, {"title": "T", "text": RETAINER})
    assert taken.json()["coach"] == str(cast.alice.coach.id)


def test_a_workspace_without_a_coach_has_nobody_to_know_it(cast: Cast) -> None:
    empty = Workspace.objects.create(slug="empty", name="Empty")
    key = key_of(empty)
    problem(send(key, DOCUMENTS, {"title": "T", "text": RETAINER}), 409)
    assert send(key, SEARCH, {"query": "anything"}).json() == {"results": []}


def test_the_list_is_newest_first_and_by_status(cast: Cast, known: Known) -> None:
    known(cast.alice.coach)
    send(cast.bob, DOCUMENTS, {"title": "Sleep", "text": SLEEP})

    def titles(query: str) -> list[str]:
        page = send(cast.bob, DOCUMENTS + query, method="GET").json()
        return [document["title"] for document in page["results"]]

    assert titles("") == ["Sleep", "Pricing"]
    assert (titles("?status=ready"), titles("?status=failed")) == (["Pricing"], [])
    assert titles("?limit=1") == ["Sleep"]
    assert "status" in errors(send(cast.bob, DOCUMENTS + "?status=lost", method="GET"))


def test_a_teammate_sees_it_and_an_outsider_sees_nothing(cast: Cast, known: Known) -> None:
    document = known(cast.alice.coach)
    one = f"{DOCUMENTS}{document.id}/"
    assert send(cast.bob, one, method="GET").status_code == 200
    problem(send(cast.charlie, one, method="GET"), 404)
    problem(send(cast.charlie, one, method="DELETE"), 404)
    problem(send(cast.charlie, f"{one}reprocess/"), 404)
    assert send(cast.charlie, DOCUMENTS, method="GET").json()["results"] == []
    assert cast.alice.coach
    theirs = {"query": "retainer", "coach": str(cast.alice.coach.id)}
    assert "coach" in errors(send(cast.charlie, SEARCH, theirs))


def test_a_client_a_stranger_and_a_narrow_key_are_kept_out(cast: Cast, known: Known) -> None:
    document = known(cast.alice.coach)
    calls = [
        ("GET", DOCUMENTS), ("POST", DOCUMENTS), ("GET", f"{DOCUMENTS}{document.id}/"),
        ("DELETE", f"{DOCUMENTS}{document.id}/"), ("POST", f"{DOCUMENTS}{document.id}/reprocess/"),
        ("POST", SEARCH),
    ]  # fmt: skip
    reader = key_of(cast.workspace, frozenset({Scope.KNOWLEDGE_READ}))
    for method, path in calls:
        problem(send(cast.dana, path, method=method), 403)
        problem(send(Browser(), path, method=method), 401)
        if method != "GET" and path != SEARCH:
            assert "knowledge:write" in problem(send(reader, path, method=method), 403)["detail"]
    assert send(reader, DOCUMENTS, method="GET").status_code == 200
    assert send(reader, SEARCH, {"query": "retainer"}).status_code == 200


def test_it_is_deleted_once_and_for_all(cast: Cast, known: Known) -> None:
    one = f"{DOCUMENTS}{known(cast.alice.coach).id}/"
    assert send(cast.bob, one, method="DELETE").status_code == 204
    problem(send(cast.bob, one, method="DELETE"), 404)
    assert send(cast.alice, SEARCH, {"query": "retainer", "min_score": 0}).json()["results"] == []


def test_it_is_read_again_on_request(cast: Cast, known: Known) -> None:
    one = f"{DOCUMENTS}{known(cast.alice.coach).id}/"
    again = send(cast.bob, f"{one}reprocess/")
    assert (again.status_code, again.json()["status"]) == (202, "queued")


def test_a_search_says_what_where_and_how_well(cast: Cast, known: Known) -> None:
    document = known(cast.alice.coach)
    known(cast.alice.coach, SLEEP, "Sleep")
    (result,) = send(cast.alice, SEARCH, {"query": "How do I price a retainer?"}).json()["results"]
    assert result["document"] == {"id": str(document.id), "title": "Pricing"}
    place = result["location"]
    assert place["heading"] == "Pricing a retainer"
    assert document.text[place["start"] : place["end"]] == result["text"]
    assert 0.7 <= result["score"] <= 1
    with every_workspace("the test looks at it from outside"):
        assert str(document.passages.get().id) == result["passage"]


def test_a_search_is_in_one_coachs_knowledge(cast: Cast, known: Known) -> None:
    known(cast.alice.coach)
    assert cast.alice.coach
    query: dict[str, Any] = {"query": "How do I price a retainer?"}

    def results(who: Person | Browser, coach: Coach | None = None) -> int:
        named = {"coach": str(coach.id)} if coach else {}
        return len(send(who, SEARCH, query | named).json()["results"])

    assert (results(cast.alice), results(cast.bob)) == (1, 0)
    assert results(cast.bob, cast.alice.coach) == 1
    assert results(key_of(cast.workspace)) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": " "}, "query"),
        ({"query": "a\x00"}, "query"),
        ({"query": "x" * 2001}, "query"),
        ({"query": "a", "top_k": 0}, "top_k"),
        ({"query": "a", "top_k": 51}, "top_k"),
        ({"query": "a", "min_score": 1.1}, "min_score"),
        ({"query": "a", "min_score": "high"}, "min_score"),
        ({"query": "a", "coach": "me"}, "coach"),
        ({"query": "a", "topk": 3}, "topk"),
    ],
)
def test_a_search_that_cannot_be_says_which_field(
    cast: Cast, body: dict[str, Any], field: str
) -> None:
    assert set(errors(send(cast.alice, SEARCH, body))) == {field}
