"""The server-rendered pages: who may open them, and what they do with what they are sent."""

from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse
from django.utils.timezone import now

from conversations.log import add_message
from conversations.models import Conversation, Mode, Source
from conversations.services import start_conversation
from opencoach.accounts.models import ApiKey, Client, Coach, ProviderKey, Workspace
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast, Person

COACH_PAGES = ["inbox", "inbox_rows", "clients", "knowledge", "documents", "usage", "settings"]
OWNER_FORMS = [("save_workspace", []), ("create_api_key", []), ("set_provider_key", ["openai"])]


def url(name: str, *args: Any) -> str:
    return reverse(f"pages:{name}", args=args)


def text_of(response: HttpResponse) -> str:
    return unescape(response.content.decode())


def talk(cast: Cast, *, of: Person, said: str, **fields: Any) -> Conversation:
    """A conversation in which the client has said one thing."""
    assert of.client
    with workspace_scope(of.client.workspace_id):
        conversation = start_conversation(client=of.client)
        add_message(conversation, Source.CLIENT, said)
        conversation.last_client_seq = conversation.last_seq
        for name, value in fields.items():
            setattr(conversation, name, value)
        conversation.save()
    return conversation


@pytest.fixture
def dana_says(cast: Cast) -> Conversation:
    return talk(cast, of=cast.dana, said="I **feel** stuck [1]\n\nagain")


# --- who may open what -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chat", *COACH_PAGES])
def test_nobody_is_sent_to_the_log_in_page_and_comes_back(cast: Cast, name: str) -> None:
    response = Browser().get(url(name))
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={url(name)}"


@pytest.mark.parametrize("name", COACH_PAGES)
def test_the_coachs_pages_are_for_coaches(cast: Cast, name: str) -> None:
    assert cast.alice.browser().get(url(name)).status_code == 200
    assert cast.bob.browser().get(url(name)).status_code == 200
    assert cast.dana.browser().get(url(name)).status_code == 403


def test_a_part_is_refused_to_nobody_rather_than_turned_into_a_log_in_form(cast: Cast) -> None:
    response = Browser().get(url("inbox_rows"), headers={"HX-Request": "true"})
    assert response.status_code == 401


def test_each_person_lands_where_they_belong(cast: Cast) -> None:
    assert cast.dana.browser().get("/").status_code == 200
    assert cast.alice.browser().get("/")["Location"] == "/coach/"
    admin = cast.charlie.user.__class__.objects.create_superuser("root@example.com", "x")
    assert Person(admin).browser().get("/")["Location"] == "/admin/"


def test_a_conversation_of_another_client_or_practice_is_not_there(
    cast: Cast, dana_says: Conversation
) -> None:
    for person in (cast.erin, cast.dana):
        expected = 200 if person is cast.dana else 404
        page = person.browser().get(url("chat_conversation", dana_says.id))
        assert page.status_code == expected
    for person in (cast.charlie, cast.bob):
        expected = 200 if person is cast.bob else 404
        page = person.browser().get(url("inbox_conversation", dana_says.id))
        assert page.status_code == expected


@pytest.mark.parametrize(("name", "arguments"), OWNER_FORMS)
def test_keys_and_the_practice_are_the_owners_business(
    cast: Cast, name: str, arguments: list[str]
) -> None:
    sent = {"workspace-name": "X", "key-name": "X", "secret": "sk-x"}
    assert cast.bob.browser().post(url(name, *arguments), sent).status_code == 403
    assert cast.alice.browser().post(url(name, *arguments), sent).status_code in (201, 302)


# --- chat ----------------------------------------------------------------------------------------


def test_a_first_visit_begins_one_conversation_and_no_more(cast: Cast) -> None:
    browser = cast.dana.browser()
    browser.get("/")
    browser.get("/")
    browser.post(url("new_conversation"))
    with workspace_scope(cast.workspace.id):
        assert Conversation.objects.count() == 1


def test_a_new_conversation_begins_where_the_last_was_used(
    cast: Cast, dana_says: Conversation
) -> None:
    response = cast.dana.browser().post(url("new_conversation"))
    assert response.status_code == 302
    assert str(dana_says.id) not in response["Location"]
    page = text_of(cast.dana.browser().get(response["Location"]))
    assert "I **feel** stuck" in page  # the older one is in the list


def test_the_page_carries_the_newest_messages_and_the_place_in_the_log(
    cast: Cast, dana_says: Conversation
) -> None:
    with workspace_scope(cast.workspace.id):
        for n in range(60):
            add_message(dana_says, Source.CLIENT, f"message {n}")
        dana_says.save()
    state = cast.dana.browser().get("/").context["state"]
    assert [message["content"] for message in state["messages"]][-1] == "message 59"
    assert len(state["messages"]) == 40
    assert state["has_older"]
    assert state["conversation"]["last_seq"] == 61


def test_what_people_wrote_cannot_end_the_script_it_is_in(cast: Cast) -> None:
    talk(cast, of=cast.dana, said="</script><script>alert(1)</script>")
    assert b"<script>alert(1)" not in cast.dana.browser().get("/").content


# --- inbox ---------------------------------------------------------------------------------------


def rows(browser: Browser, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.get(url("inbox_rows"), query).context["rows"]
    return found


def test_a_row_shows_who_said_what_last_without_marks(cast: Cast, dana_says: Conversation) -> None:
    (row,) = rows(cast.alice.browser())
    assert (row["client_name"], row["preview"]) == ("Dana", "I feel stuck again")
    assert row["status_label"] == "With the clone"


def test_filters_and_search_choose_rows(cast: Cast, dana_says: Conversation) -> None:
    assert cast.alice.coach
    talk(cast, of=cast.dana, said="a", mode=Mode.WAITING)
    talk(cast, of=cast.dana, said="b", needs_human=True)
    talk(cast, of=cast.dana, said="c", mode=Mode.HUMAN, holder=cast.alice.coach)
    browser = cast.alice.browser()
    assert len(rows(browser)) == 4
    assert {row["preview"] for row in rows(browser, filter="needs")} == {"a", "b"}
    assert len(rows(browser, filter="ai")) == 2
    assert [row["preview"] for row in rows(browser, filter="mine")] == ["c"]
    assert rows(cast.bob.browser(), filter="mine") == []
    assert len(rows(browser, q="dan")) == 4
    assert rows(browser, q="nobody\x00") == []


def test_rows_go_on_below_the_last_one(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations.pages.inbox.ROWS", 2)
    at = now()
    for n in range(3):
        talk(cast, of=cast.dana, said=f"row {n}", last_message_at=at - timedelta(hours=n))
    first = cast.alice.browser().get(url("inbox_rows"))
    assert [row["preview"] for row in first.context["rows"]] == ["row 0", "row 1"]
    before = first.context["older_than"].isoformat()
    assert [row["preview"] for row in rows(cast.alice.browser(), before=before)] == ["row 2"]
    for nonsense in ("yesterday", "2026-13-45T99:99:99Z", "2026-01-01T00:00:00"):
        assert len(rows(cast.alice.browser(), before=nonsense)) == 2


def test_htmx_gets_the_pane_and_a_browser_the_page(cast: Cast, dana_says: Conversation) -> None:
    address = url("inbox_conversation", dana_says.id)
    browser = cast.alice.browser()
    assert b"<html" in browser.get(address).content
    assert b"<html" not in browser.get(address, headers={"HX-Request": "true"}).content
    restored = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert b"<html" in browser.get(address, headers=restored).content


# --- clients and settings ------------------------------------------------------------------------


def test_a_client_is_added_found_and_talked_to(cast: Cast) -> None:
    browser = cast.bob.browser()
    browser.post(url("create_client"), {"name": "Frida Ek", "email": "frida@example.com"})
    page = browser.get(url("clients"), {"q": "frida@"})
    (row,) = page.context["clients"]
    assert (row["name"], row["initials"], row["conversation_id"]) == ("Frida Ek", "FE", None)
    with workspace_scope(cast.workspace.id):
        assert Client.objects.get(id=row["id"]).coach == cast.bob.coach
    opened = browser.post(url("open_conversation", row["id"]))["Location"]
    assert browser.post(url("open_conversation", row["id"]))["Location"] == opened
    assert browser.get(opened).status_code == 200


def test_a_client_without_a_name_is_refused_in_words(cast: Cast) -> None:
    response = cast.alice.browser().post(url("create_client"), {"name": "", "email": "nonsense"})
    assert response.status_code == 422
    assert "Enter a valid email address" in text_of(response)


def test_another_practices_client_cannot_be_opened(cast: Cast) -> None:
    assert cast.erin.client
    for client_id in (cast.erin.client.id, uuid4()):
        response = cast.alice.browser().post(url("open_conversation", client_id))
        assert response.status_code == 404


def test_a_coach_changes_how_clients_see_them(cast: Cast) -> None:
    assert cast.bob.coach
    sent = {"name": "Bob B.", "clone_name": "Bobby", "greeting": "Hej", "approach": ""}
    cast.bob.browser().post(url("save_profile"), sent)
    with workspace_scope(cast.workspace.id):
        coach = Coach.objects.get(id=cast.bob.coach.id)
    assert (coach.name, coach.clone_name, coach.greeting) == ("Bob B.", "Bobby", "Hej")
    refused = cast.bob.browser().post(url("save_profile"), sent | {"name": ""})
    assert refused.status_code == 422


def test_the_practice_is_renamed(cast: Cast) -> None:
    cast.alice.browser().post(url("save_workspace"), {"workspace-name": "Calm & Co"})
    assert Workspace.objects.get(id=cast.workspace.id).name == "Calm & Co"


def test_an_api_key_is_shown_once_and_can_be_revoked(cast: Cast) -> None:
    browser = cast.alice.browser()
    response = browser.post(url("create_api_key"), {"key-name": "Website"})
    key = response.context["new_key"]
    assert key.startswith("ock_")
    assert key in text_of(response)
    assert key not in text_of(browser.get(url("settings")))
    with workspace_scope(cast.workspace.id):
        row = ApiKey.objects.get()
    assert cast.charlie.browser().post(url("revoke_api_key", row.id)).status_code == 404
    browser.post(url("revoke_api_key", row.id))
    with workspace_scope(cast.workspace.id):
        assert ApiKey.objects.get().revoked_at is not None


def test_a_model_key_shows_its_last_four_characters_only(cast: Cast) -> None:
    browser = cast.alice.browser()
    browser.post(url("set_provider_key", "openai"), {"secret": "sk-secret-abcd"})
    page = text_of(browser.get(url("settings")))
    assert "abcd" in page
    assert "sk-secret" not in page
    browser.post(url("remove_provider_key", "openai"))
    with workspace_scope(cast.workspace.id):
        assert not ProviderKey.objects.exists()
    assert browser.post(url("set_provider_key", "nobody"), {"secret": "x"}).status_code == 404
    refused = browser.post(url("set_provider_key", "openai"), {"secret": "schlüssel"}, follow=True)
    assert "printable ASCII" in text_of(refused)


# --- the policy and the errors -------------------------------------------------------------------


def test_pages_name_a_policy_that_allows_no_inline_script(cast: Cast) -> None:
    for page in (Browser().get("/accounts/login/"), cast.alice.browser().get("/coach/")):
        policy = page["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize("name", ["chat", "inbox", "clients", "knowledge", "usage", "settings"])
def test_no_page_has_what_the_policy_forbids(cast: Cast, name: str) -> None:
    person = cast.dana if name == "chat" else cast.alice
    page = person.browser().get(url(name)).content.decode()
    assert " style=" not in page
    assert "<style" not in page
    assert "onclick=" not in page
    assert page.count("<script") == page.count("<script src=") + page.count(
        '<script type="module" src='
    ) + page.count("<script defer src=") + page.count('type="application/json"')


@pytest.mark.parametrize("template", ["403", "403_csrf", "404", "500", "503", "offline"])
def test_error_pages_need_nothing_that_may_be_broken(template: str) -> None:
    from django.template.loader import render_to_string

    assert "<h1>" in render_to_string(f"{template}.html")
