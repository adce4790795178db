"""Reading along: long conversations, and the inbox that follows what happens."""

import pytest
from playwright.sync_api import expect

from conversations.log import add_message
from conversations.models import Mode, Source
from conversations.services import start_conversation
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast
from tests.pages.conftest import OpenAs
from tests.pages.test_chat_and_takeover import messages, open_conversation, write

PLACE = "document.querySelector('[data-scroll]')"


@pytest.fixture
def long_talk(committed_cast: Cast) -> None:
    """A hundred messages, in a conversation whose clone is paused."""
    assert committed_cast.dana.client
    with workspace_scope(committed_cast.workspace.id):
        conversation = start_conversation(client=committed_cast.dana.client)
        for n in range(100):
            add_message(conversation, Source.CLIENT, f"Message number {n}.")
        conversation.mode = Mode.PAUSED
        conversation.save()


def test_older_messages_come_when_the_reader_scrolls_up(long_talk: None, open_as: OpenAs) -> None:
    dana = open_as("dana")
    expect(messages(dana, "client")).to_have_count(40)
    expect(dana.get_by_text("Message number 99.")).to_be_in_viewport()

    read = dana.get_by_text("Message number 62.")
    read.scroll_into_view_if_needed()
    dana.evaluate(f"{PLACE}.scrollTop = 0")

    expect(messages(dana, "client")).to_have_count(80)
    first_loaded = dana.get_by_text("Message number 60.")
    expect(first_loaded).to_be_in_viewport()  # what was read has not moved away
    for _ in range(3):
        dana.evaluate(f"{PLACE}.scrollTop = 0")
        dana.wait_for_timeout(300)
    expect(messages(dana, "client")).to_have_count(100)
    numbers = [int(text.split()[-1][:-1]) for text in messages(dana, "client").all_inner_texts()]
    assert numbers == list(range(100))


def test_who_reads_further_up_is_not_pulled_down(long_talk: None, open_as: OpenAs) -> None:
    dana, alice = open_as("dana"), open_as("alice")
    expect(messages(dana, "client")).to_have_count(40)
    dana.evaluate(f"{PLACE}.scrollTop -= 900")
    dana.wait_for_timeout(200)
    before = dana.evaluate(f"{PLACE}.scrollTop")
    open_conversation(alice, "Dana")
    write(alice, "Take your time.")

    pill = dana.get_by_role("button", name="1 new message")
    expect(pill).to_be_visible()
    assert abs(dana.evaluate(f"{PLACE}.scrollTop") - before) < 80  # the banner may take its place
    pill.click()
    expect(messages(dana, "human_coach")).to_be_in_viewport()
    expect(pill).to_be_hidden()


def test_the_inbox_moves_up_what_was_said_last(open_as: OpenAs) -> None:
    dana, alice = open_as("dana"), open_as("alice")
    write(dana, "In the first conversation")
    expect(messages(dana, "ai")).to_have_count(1)
    first = dana.url
    dana.get_by_role("button", name="New conversation").click()
    write(dana, "In the second conversation")
    expect(messages(dana, "ai")).to_have_count(1)
    rows = alice.locator("[data-conversation]")
    expect(rows).to_have_count(2)
    second_row = rows.nth(0).get_attribute("data-conversation")

    dana.goto(first)
    dana.locator(".history a", has_text="In the first").click()
    write(dana, "Back in the first")

    expect(rows.nth(1)).to_have_attribute("data-conversation", str(second_row))
    alice.get_by_role("button", name="Needs you").click()
    expect(rows).to_have_count(0)
    expect(alice.get_by_text("No conversation fits this filter.")).to_be_visible()
    alice.get_by_role("button", name="All").click()
    alice.get_by_label("Search by client").fill("dan")
    expect(rows).to_have_count(2)
    alice.get_by_label("Search by client").fill("nobody")
    expect(rows).to_have_count(0)
