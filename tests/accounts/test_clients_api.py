from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.utils.timezone import now

from opencoach.accounts.models import Client
from opencoach.accounts.scopes import Scope
from opencoach.accounts.services import create_api_key, create_client
from opencoach.common.rls import every_workspace, workspace_scope
from tests.accounts.conftest import Api
from tests.conftest import Cast

NEW = {"external_id": "crm-17", "name": "Frida Ek", "email": "frida@example.com"}


def refused(response: Any) -> dict[str, str]:
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"
    return {error["field"]: error["code"] for error in response.json()["errors"]}


def test_a_client_is_made_once_for_each_external_id(api: Api, cast: Cast) -> None:
    first = api.call("POST", "clients/", NEW | {"timezone": "Europe/Stockholm"})
    again = api.call("POST", "clients/", NEW | {"name": "Somebody else"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    shown = first.json()
    assert shown["name"] == "Frida Ek"
    assert shown["coach"] == str(cast.alice.coach.id)  # type: ignore[union-attr]
    assert set(shown) == {"id", "external_id", "name", "email", "timezone", "coach", "created_at"}


def test_two_workspaces_may_use_the_same_external_id(api: Api, cast: Cast) -> None:
    elsewhere = Api(create_api_key(workspace=cast.elsewhere, name="site")[1])
    here, there = api.call("POST", "clients/", NEW), elsewhere.call("POST", "clients/", NEW)
    assert here.status_code == there.status_code == 201
    assert here.json()["id"] != there.json()["id"]


def test_calls_side_by_side_make_one_client(committed_cast: Cast) -> None:
    coach = committed_cast.alice.coach
    assert coach is not None
    together = Barrier(6, timeout=10)

    def make(_: int) -> tuple[Client, bool]:
        try:
            with workspace_scope(coach.workspace_id):
                together.wait()
                return create_client(coach=coach, external_id="raced", name="Raced")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(make, range(6)))
    assert len({client.id for client, _ in made}) == 1
    assert [created for _, created in made].count(True) == 1


def test_a_coach_makes_their_own_clients(cast: Cast) -> None:
    response = cast.bob.browser().post("/api/v1/clients/", NEW, content_type="application/json")
    assert response.status_code == 201
    assert response.json()["coach"] == str(cast.bob.coach.id)  # type: ignore[union-attr]


def test_the_coach_can_be_named(api: Api, cast: Cast) -> None:
    bob, charlie = cast.bob.coach, cast.charlie.coach
    assert bob
    assert charlie
    made = api.call("POST", "clients/", NEW | {"coach": str(bob.id)})
    assert made.json()["coach"] == str(bob.id)
    foreign = api.call("POST", "clients/", NEW | {"coach": str(charlie.id)})
    assert refused(foreign) == {"coach": "unknown_coach"}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"external_id": "required"}),
        ({"external_id": " "}, {"external_id": "blank"}),
        ({"external_id": "x" * 121}, {"external_id": "max_length"}),
        ({"external_id": "a\x00b"}, {"external_id": "null_characters_not_allowed"}),
        ({"external_id": ["x"]}, {"external_id": "invalid"}),
        (NEW | {"name": "n" * 121}, {"name": "max_length"}),
        (NEW | {"email": "not an address"}, {"email": "invalid"}),
        (NEW | {"timezone": "Mars/Olympus"}, {"timezone": "unknown_timezone"}),
        (NEW | {"timezone": "../../etc/passwd"}, {"timezone": "unknown_timezone"}),
        (NEW | {"coach": "alice"}, {"coach": "invalid"}),
        (NEW | {"nickname": "F"}, {"nickname": "unknown_field"}),
        ([NEW], {"non_field_errors": "invalid"}),
    ],
)
def test_a_wrong_body_says_what_to_change(api: Api, body: Any, errors: dict[str, str]) -> None:
    assert refused(api.call("POST", "clients/", body)) == errors


def test_the_list_has_pages_and_finds_by_external_id(api: Api) -> None:
    for number in range(3):
        api.call("POST", "clients/", {"external_id": f"crm-{number}"})
    page = api.call("GET", "clients/?limit=2").json()
    assert [client["external_id"] for client in page["results"]] == ["crm-2", "crm-1"]
    rest = api.call("GET", page["next"].partition("/api/v1/")[2]).json()
    assert [client["external_id"] for client in rest["results"]] == ["crm-0", "dana"]
    found = api.call("GET", "clients/?external_id=crm-1").json()["results"]
    assert [client["external_id"] for client in found] == ["crm-1"]
    assert api.call("GET", "clients/?external_id=%00").json()["results"] == []


def test_a_change_touches_what_it_names_only(api: Api, cast: Cast) -> None:
    dana, bob = cast.dana.client, cast.bob.coach
    assert dana
    assert bob
    path = f"clients/{dana.id}/"
    assert api.call("PATCH", path, {"timezone": "Asia/Tokyo"}).json()["timezone"] == "Asia/Tokyo"
    changed = api.call("PATCH", path, {"coach": str(bob.id), "name": ""}).json()
    assert changed["coach"] == str(bob.id)
    assert changed == api.call("GET", path).json()
    assert (changed["name"], changed["timezone"]) == ("", "Asia/Tokyo")
    assert refused(api.call("PATCH", path, {"external_id": "x"})) == {
        "external_id": "unknown_field"
    }


def test_delete_erases_the_client_and_a_log_in_that_served_nothing_else(
    api: Api, cast: Cast
) -> None:
    dana = cast.dana.client
    assert dana
    assert api.call("DELETE", f"clients/{dana.id}/").status_code == 204
    assert api.call("GET", f"clients/{dana.id}/").status_code == 404
    assert api.call("DELETE", f"clients/{dana.id}/").status_code == 404
    assert not type(cast.dana.user).objects.filter(id=cast.dana.user.id).exists()


def test_a_log_in_that_another_workspace_knows_outlives_the_client(api: Api, cast: Cast) -> None:
    dana, charlie = cast.dana.client, cast.charlie.coach
    assert dana
    assert charlie
    with every_workspace("Dana is coached in two practices"):
        other, _ = create_client(coach=charlie, external_id="dana", user=cast.dana.user)
    assert api.call("DELETE", f"clients/{dana.id}/").status_code == 204
    with every_workspace("to look"):
        other.refresh_from_db()
    assert other.user == cast.dana.user


def test_another_workspaces_client_is_not_there(api: Api, cast: Cast) -> None:
    erin = cast.erin.client
    assert erin
    for method, path in [
        ("GET", f"clients/{erin.id}/"),
        ("PATCH", f"clients/{erin.id}/"),
        ("DELETE", f"clients/{erin.id}/"),
        ("POST", f"clients/{erin.id}/tokens/"),
        ("GET", f"clients/{uuid4()}/"),
    ]:
        assert api.call(method, path, None if method == "GET" else {}).status_code == 404, path
    assert {client["external_id"] for client in api.call("GET", "clients/").json()["results"]} == {
        "dana"
    }


def test_a_key_does_what_its_scopes_say_and_no_more(cast: Cast) -> None:
    reader = Api(create_api_key(workspace=cast.workspace, name="r", scopes=["clients:read"])[1])
    assert reader.call("GET", "clients/").status_code == 200
    refusal = reader.call("POST", "clients/", NEW)
    assert refusal.status_code == 403
    assert Scope.CLIENTS_WRITE in refusal.json()["detail"]


def test_a_client_token_says_when_it_expires_and_lists_nobody(api: Api, cast: Cast) -> None:
    dana = cast.dana.client
    assert dana
    minted = api.call("POST", f"clients/{dana.id}/tokens/")
    assert minted.status_code == 201
    lasts = datetime.fromisoformat(minted.json()["expires_at"]) - now()
    assert abs(lasts - timedelta(seconds=settings.CLIENT_TOKEN_SECONDS)) < timedelta(seconds=5)
    client = Api(minted.json()["token"])
    for path in ("clients/", f"clients/{dana.id}/"):
        assert client.call("GET", path).status_code == 403
    assert client.call("POST", f"clients/{dana.id}/tokens/").status_code == 403


def test_a_token_ends_with_its_time_and_with_its_client(
    api: Api, cast: Cast, settings: Any
) -> None:
    dana = cast.dana.client
    assert dana
    token = Api(api.call("POST", f"clients/{dana.id}/tokens/").json()["token"])
    assert token.call("GET", "clients/").status_code == 403  # known, and not allowed
    settings.CLIENT_TOKEN_SECONDS = -1
    expired = token.call("GET", "clients/")
    assert (expired.status_code, expired.json()["type"]) == (
        401,
        "urn:opencoach:problem:expired_token",
    )
    settings.CLIENT_TOKEN_SECONDS = 60
    api.call("DELETE", f"clients/{dana.id}/")
    assert token.call("GET", "clients/").status_code == 401
