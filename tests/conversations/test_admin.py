"""The platform's pages of conversations: to look at, in few queries, without counting."""

from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils.timezone import now

from conversations.models import Conversation, ConversationEvent, Message, Turn
from opencoach.accounts.models import User
from opencoach.common.rls import workspace_scope
from tests.conftest import PASSWORD, Cast

MODELS = ("conversation", "turn", "message", "conversationevent")


@pytest.fixture
def root(db: None) -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    return browser


def talk(cast: Cast) -> dict[str, Any]:
    """A conversation with one row of each kind, by model name."""
    alice, dana = cast.alice.coach, cast.dana.client
    assert alice
    assert dana
    here = {"workspace": cast.workspace}
    with workspace_scope(cast.workspace.id):
        conversation = Conversation.objects.create(client=dana, coach=alice, **here)
        of = here | {"conversation": conversation}
        return {
            "conversation": conversation,
            "turn": Turn.objects.create(
                epoch=0, lease_until=now(), input_seq=1, record={"model": "<gpt>"}, **of
            ),
            "message": Message.objects.create(
                seq=1, source="client", content="Words & <b>more</b>", metadata={"n": 1}, **of
            ),
            "conversationevent": ConversationEvent.objects.create(
                seq=2, type="mode.changed", payload={"mode": "human"}, **of
            ),
        }


def page(model: str, what: str = "changelist", *arguments: Any) -> str:
    return reverse(f"admin:conversations_{model}_{what}", args=arguments)


@pytest.mark.parametrize("model", MODELS)
def test_a_list_takes_as_many_queries_for_ten_rows_as_for_one(
    root: Browser, cast: Cast, model: str, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        talk(cast)
    with django_assert_max_num_queries(8) as queries:
        assert root.get(page(model)).status_code == 200
    counts = [each["sql"] for each in queries.captured_queries if "COUNT(*)" in each["sql"]]
    assert all("LIMIT 5000" in sql for sql in counts)


@pytest.mark.parametrize("model", MODELS)
def test_a_row_is_shown_and_cannot_be_changed(root: Browser, cast: Cast, model: str) -> None:
    row = talk(cast)[model]
    address = page(model, "change", row.pk)
    assert root.get(address).status_code == 200
    assert root.post(address, {"mode": "completed"}).status_code == 403
    assert root.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_the_why_record_is_shown_as_it_is(root: Browser, cast: Cast) -> None:
    rows = talk(cast)
    why = root.get(page("turn", "change", rows["turn"].pk)).content.decode()
    assert "{\n  &quot;model&quot;: &quot;&lt;gpt&gt;&quot;\n}" in why
    said = root.get(page("message", "change", rows["message"].pk)).content.decode()
    assert "Words &amp; &lt;b&gt;more&lt;/b&gt;" in said


@pytest.mark.parametrize("model", MODELS[1:])
def test_the_rows_of_one_conversation_are_found_by_its_id(
    root: Browser, cast: Cast, model: str
) -> None:
    one, other = talk(cast), talk(cast)
    found = root.get(page(model), {"q": f" {one['conversation'].id} "}).content.decode()
    assert str(one[model].pk) in found
    assert str(other[model].pk) not in found
    assert str(one[model].pk) not in root.get(page(model), {"q": "Words"}).content.decode()
    assert (
        page(model)
        in root.get(page("conversation", "change", one["conversation"].id)).content.decode()
    )
