"""The main job in a real browser: a client talks to the clone, the coach takes over live."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.model_server import ModelServer
from tests.pages.conftest import OpenAs, serious_violations

LONG = "Begin with *one* thing that is already yours: **a calm hour**. Then tell me what changed."


def write(page: Page, text: str) -> None:
    page.get_by_label("Your message").fill(text)
    page.keyboard.press("Enter")


def messages(page: Page, source: str) -> Locator:
    """Stored messages of one author; what is still on its way has no id."""
    return page.locator(f".message-{source}[data-id] .message-body")


def connected(page: Page) -> Page:
    """Waits until the page is live, so that nothing rests on the catching up."""
    page.wait_for_function("document.querySelector('[data-offline]')?.hidden === true")
    return page


def open_conversation(coach: Page, client_name: str) -> None:
    coach.locator("[data-conversation]", has_text=client_name).get_by_role("link").click()
    expect(coach.get_by_role("heading", name=client_name, level=2)).to_be_visible()


def test_the_clients_words_are_answered_token_by_token(
    open_as: OpenAs, model_server: ModelServer
) -> None:
    model_server.script({"text": LONG, "tps": 12})
    dana = open_as("dana")
    expect(dana.get_by_role("heading", name="Hello, Dana.")).to_be_visible()

    write(dana, "I never find an hour for myself.")

    streaming = dana.locator(".message-streaming .message-body")
    expect(streaming).to_contain_text("Begin with")
    assert "what changed" not in streaming.inner_text()
    expect(messages(dana, "ai")).to_have_text(
        "Begin with one thing that is already yours: a calm hour. Then tell me what changed."
    )
    expect(messages(dana, "ai").locator("strong")).to_have_text("a calm hour")
    expect(dana.get_by_text("AI clone of Alice").first).to_be_visible()
    expect(dana.locator(".message-streaming")).to_have_count(0)
    expect(dana.get_by_role("heading", name="Hello, Dana.")).to_be_hidden()


def test_the_coach_takes_over_answers_and_hands_back(
    open_as: OpenAs, model_server: ModelServer
) -> None:
    dana, alice = open_as("dana"), open_as("alice")
    model_server.script({"text": "word " * 200, "tps": 10})
    write(dana, "Is Alice there?")
    expect(alice.get_by_text("Is Alice there?")).to_be_visible()
    open_conversation(alice, "Dana")
    # The coach reads along while the clone is still writing.
    expect(alice.locator(".message-streaming .message-body")).to_contain_text("word")

    alice.get_by_role("button", name="Take over").click()

    expect(dana.get_by_text("Alice has joined the conversation.")).to_be_visible()
    expect(dana.get_by_text("You are talking to a human.")).to_be_visible()
    for page in (dana, alice):
        expect(page.locator(".message-streaming")).to_have_count(0)
        expect(messages(page, "ai")).to_have_count(0)

    write(alice, "Yes, it is me. What happened?")
    answer = dana.locator(".message-human_coach[data-id]")
    expect(answer.locator(".message-body")).to_have_text("Yes, it is me. What happened?")
    expect(answer.get_by_text("Human coach")).to_be_visible()

    write(dana, "I got the job!")
    expect(messages(alice, "client").last).to_have_text("I got the job!")
    model_server.script({"text": "Congratulations from both of us."})
    alice.get_by_role("button", name="Hand back").click()
    alice.get_by_label("Note for the clone").fill("Congratulate her.")
    alice.get_by_role("dialog").get_by_role("button", name="Hand back").click()

    expect(messages(dana, "ai")).to_have_text("Congratulations from both of us.")
    expect(dana.get_by_text("You are talking to a human.")).to_be_hidden()
    expect(alice.locator("[data-mode-pill]")).to_have_text("With the clone")
    assert "Congratulate her." not in dana.content()


def test_writing_takes_over_and_only_new_keeps_the_clone_quiet(
    open_as: OpenAs, model_server: ModelServer
) -> None:
    dana, alice = open_as("dana"), open_as("alice")
    write(dana, "Hello")
    expect(messages(dana, "ai")).to_have_count(1)
    open_conversation(alice, "Dana")

    write(alice, "Alice here.")
    expect(dana.get_by_text("Alice has joined the conversation.")).to_be_visible()
    write(dana, "Good to hear from you.")
    expect(messages(alice, "client")).to_have_count(2)

    alice.get_by_role("button", name="Hand back").click()
    alice.get_by_label("Only new messages").check()
    alice.get_by_role("dialog").get_by_role("button", name="Hand back").click()
    expect(alice.locator("[data-mode-pill]")).to_have_text("With the clone")
    dana.wait_for_timeout(1500)
    expect(messages(dana, "ai")).to_have_count(1)

    write(dana, "And now?")
    expect(messages(dana, "ai")).to_have_count(2)


def test_what_is_written_offline_arrives_once_and_is_answered(open_as: OpenAs) -> None:
    dana = open_as("dana")
    write(dana, "Before the tunnel")
    expect(messages(dana, "ai")).to_have_count(1)

    dana.context.set_offline(True)
    expect(dana.get_by_text("You are offline.")).to_be_visible()
    write(dana, "In the tunnel")
    write(dana, "Still in the tunnel")
    expect(dana.get_by_text("Sending…")).to_have_count(2)
    dana.context.set_offline(False)

    expect(messages(dana, "client")).to_have_text(
        ["Before the tunnel", "In the tunnel", "Still in the tunnel"]
    )
    expect(dana.get_by_text("Sending…")).to_have_count(0)
    expect(dana.get_by_text("You are offline.")).to_be_hidden()
    expect(messages(dana, "ai").nth(1)).to_be_visible()
    dana.reload()
    expect(messages(dana, "client")).to_have_count(3)


def test_a_reload_keeps_what_was_not_delivered_and_what_was_not_sent(open_as: OpenAs) -> None:
    dana = connected(open_as("dana"))
    address = dana.url
    # The page is there, its socket is not: a proxy that went away.
    dana.route_web_socket(re.compile("/ws/conversations/"), lambda socket: socket.close(code=1011))
    dana.goto(address)
    write(dana, "Do not lose me")
    dana.get_by_label("Your message").fill("A draft")
    dana.reload()
    expect(dana.get_by_text("Do not lose me")).to_be_visible()
    expect(dana.get_by_text("Sending…")).to_be_visible()
    expect(dana.get_by_label("Your message")).to_have_value("A draft")

    again = dana.context.new_page()
    again.goto(address)
    expect(messages(again, "client")).to_have_text(["Do not lose me"])
    expect(messages(again, "ai")).to_have_count(1)


def test_a_reconnect_in_the_middle_of_an_answer_goes_on_with_it(
    open_as: OpenAs, model_server: ModelServer
) -> None:
    whole = " ".join(f"w{n}" for n in range(60))
    model_server.script({"text": whole, "tps": 8})
    dana = open_as("dana")
    write(dana, "Count for me")
    streaming = dana.locator(".message-streaming .message-body")
    expect(streaming).to_contain_text("w5")

    dana.context.set_offline(True)
    expect(dana.get_by_text("You are offline.")).to_be_visible()
    dana.context.set_offline(False)
    expect(dana.get_by_text("You are offline.")).to_be_hidden()

    expect(streaming).to_contain_text("w30")
    assert whole.startswith(streaming.inner_text())
    expect(messages(dana, "ai")).to_have_text(whole)


def test_a_client_who_was_away_reads_what_the_coach_wrote_meanwhile(open_as: OpenAs) -> None:
    dana, alice = open_as("dana"), open_as("alice")
    write(dana, "Hello")
    expect(messages(dana, "ai")).to_have_count(1)
    open_conversation(alice, "Dana")
    dana.context.set_offline(True)
    expect(dana.get_by_text("You are offline.")).to_be_visible()

    write(alice, "First while you were away")
    write(alice, "Second while you were away")
    expect(messages(alice, "human_coach")).to_have_count(2)
    dana.context.set_offline(False)

    expect(messages(dana, "human_coach")).to_have_text(
        ["First while you were away", "Second while you were away"]
    )
    expect(dana.get_by_text("You are talking to a human.")).to_be_visible()


def test_a_failed_answer_is_calm_for_the_client_and_can_be_run_again_by_the_coach(
    open_as: OpenAs, model_server: ModelServer
) -> None:
    dana, alice = open_as("dana"), open_as("alice")
    model_server.default(fault="500")
    write(dana, "Can you hear me?")
    expect(dana.locator(".message-calm")).to_contain_text("Your message is safe")
    expect(alice.locator("[data-status]")).to_have_text("Needs you")
    open_conversation(alice, "Dana")

    model_server.default(fault="")
    # The circuit of a provider that failed stays open for a moment; a coach would wait as well.
    retry = alice.get_by_role("button", name="Retry")
    expect(retry).to_be_visible()
    for _ in range(20):
        if messages(dana, "ai").count():
            break
        if retry.is_visible():
            retry.click()
        alice.wait_for_timeout(2000)
    expect(messages(dana, "ai")).to_have_count(1)
    expect(alice.locator(".turn-failed")).to_have_count(0)


def test_neither_side_has_serious_accessibility_violations(open_as: OpenAs) -> None:
    dana, alice = open_as("dana"), open_as("alice")
    assert serious_violations(dana) == []
    write(dana, "Hello")
    expect(messages(dana, "ai")).to_have_count(1)
    open_conversation(alice, "Dana")
    assert serious_violations(dana) == []
    assert serious_violations(alice) == []

    alice.get_by_role("button", name="Take over").click()
    expect(dana.get_by_text("You are talking to a human.")).to_be_visible()
    alice.get_by_role("button", name="Hand back").click()
    assert serious_violations(dana) == []
    assert serious_violations(alice) == []


def test_the_conversation_is_usable_on_a_phone_and_by_keyboard(open_as: OpenAs) -> None:
    dana = open_as("dana", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert dana.evaluate("document.documentElement.scrollWidth <= innerWidth")
    dana.get_by_role("button", name="Your conversations").press("Enter")
    expect(dana.get_by_role("button", name="New conversation")).to_be_visible()
    dana.keyboard.press("Escape")
    expect(dana.get_by_role("button", name="Your conversations")).to_be_focused()

    dana.get_by_label("Your message").fill("One line")
    dana.keyboard.press("Shift+Enter")
    dana.keyboard.type("another line")
    dana.keyboard.press("Enter")
    expect(messages(dana, "client")).to_have_text("One line\nanother line", use_inner_text=True)
