"""The reply's prompt: plain text from plain data."""

from typing import Any

from prompts_admin.rendering import render_reply_prompt

WORDS: dict[str, Any] = {
    "clone_name": "Maya's clone",
    "coach_name": "Maya & Co",
    "approach": "",
    "client_name": "<Jonas>",
    "note": "",
    "passages": [],
}


def test_words_are_not_escaped_as_if_for_a_page() -> None:
    prompt = render_reply_prompt(**WORDS).text
    assert prompt.startswith("You are Maya's clone, the AI clone of the coach Maya & Co.")
    assert "<Jonas>" in prompt


def test_template_language_in_a_coachs_words_stays_words() -> None:
    prompt = render_reply_prompt(**WORDS | {"approach": "{{ secret }} {% now 'Y' %}"}).text
    assert "{{ secret }} {% now 'Y' %}" in prompt


def test_passages_are_numbered_as_they_are_cited() -> None:
    passages = [("Pricing", "Retainers › Terms", "Ask first."), ("Rest", "", "Sleep.")]
    prompt = render_reply_prompt(**WORDS | {"passages": passages}).text
    assert "[1] Pricing › Retainers › Terms\nAsk first." in prompt
    assert "[2] Rest\nSleep." in prompt


def test_the_note_at_hand_back_is_there_only_when_there_is_one() -> None:
    assert "A note for you" not in render_reply_prompt(**WORDS).text
    assert "Be brief." in render_reply_prompt(**WORDS | {"note": "Be brief."}).text


def test_the_version_names_the_template_and_not_its_data() -> None:
    one = render_reply_prompt(**WORDS)
    other = render_reply_prompt(**WORDS | {"note": "Be brief."})
    assert one.version == other.version
    assert one.version.startswith("reply@")
