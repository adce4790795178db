"""What a coach sees first: the offline provider's answers."""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import pytest

from opencoach.ai.providers.base import ChatMessage, ChatRequest, Stop, TextDelta
from opencoach.ai.providers.offline import OfflineProvider, coaching_answer

PASSAGES = [
    {
        "n": 3,
        "title": "The Delegation Workbook",
        "text": "# Delegation\n\nDelegating is not dropping: it is a promise with a date. "
        "Who could own this? Check in once at the half-way mark, e.g. on Wednesday.\n\n"
        "- **Write** the outcome in one plain sentence.\n- Agree on one date.",
    },
    {
        "n": 4,
        "title": "Calm Mornings",
        "text": "The first ten minutes of a day decide more than the last two hours.",
    },
]
SAID = [
    "",
    "Hi!",
    "ok",
    "I can't delegate. My team waits for me with every decision.",
    "How do I get my mornings back?",
    "I feel overwhelmed and tired and I do not know where to start because there is so much",
    "I finally told my boss that I want the promotion, and she said yes.",
    "I am afraid of the talk with my co-founder.",
    "I lost my father last month.",
    "We had a fight again and I'm so angry",
    "Ich weiß nicht, wie ich anfangen soll.",
    "word " * 400,
    "🌱",
]


def answer(said: str, history: Sequence[ChatMessage] = (), **context: Any) -> str:
    messages = [*history, ChatMessage("user", said)]
    return coaching_answer(ChatRequest("demo", "", messages, context=context))


@pytest.mark.parametrize("passages", [[], PASSAGES], ids=["no passages", "passages"])
@pytest.mark.parametrize("said", SAID)
def test_an_answer_is_short_and_ends_with_its_only_question(
    said: str, passages: list[dict[str, Any]]
) -> None:
    text = answer(said, passages=passages)

    assert 55 <= len(text.split()) <= 120
    assert text.endswith("?")
    own_questions = text.count("?") - said.count("?")
    assert own_questions == 1


@pytest.mark.parametrize("said", SAID)
def test_the_same_conversation_gets_the_same_answer(said: str) -> None:
    assert answer(said, passages=PASSAGES) == answer(said, passages=PASSAGES)


def test_the_answer_takes_up_the_clients_own_words() -> None:
    assert "“I am afraid of the talk with my co-founder”" in answer(SAID[7])


def test_a_long_message_is_taken_up_by_its_last_point() -> None:
    text = answer("It was a long week. There were nine meetings. I want my evenings back.")

    assert "I want my evenings back" in text


def test_the_sentence_that_fits_best_is_quoted_with_its_marker() -> None:
    assert "is a promise with a date.” [3]" in answer(SAID[3], passages=PASSAGES)
    assert "decide more than the last two hours.” [4]" in answer(SAID[4], passages=PASSAGES)


def test_a_quoted_sentence_stands_in_the_passage_without_its_markup() -> None:
    passage = {"n": 1, "title": "", "text": "1. **Write** the *outcome* in one plain sentence."}

    text = answer("I want a better outcome", passages=[passage])
    assert "“Write the outcome in one plain sentence.” [1]" in text


def test_a_greeting_is_not_answered_with_a_quotation() -> None:
    assert "[" not in answer("Hello there!", passages=PASSAGES)


def test_no_answer_cites_what_was_not_given() -> None:
    assert not any("[" in answer(said) for said in SAID)


def test_a_wish_is_not_congratulated() -> None:
    for said in ("I want to be proud of myself", "I am not so happy", "I never managed to do it"):
        assert "Well done" not in answer(said)
        assert "celebrating" not in answer(said)


def test_the_phases_own_question_is_asked_once() -> None:
    question = "What does a good week look like for you?"
    first = answer("I want to change jobs", question=question)
    history = [ChatMessage("user", "I want to change jobs"), ChatMessage("assistant", first)]

    assert first.endswith(question)
    assert question not in answer("A calm one", history, question=question)


def test_a_conversation_does_not_repeat_itself() -> None:
    history: list[ChatMessage] = []
    for _ in range(4):
        said = "I want to understand what I am doing here"
        history += [ChatMessage("user", said), ChatMessage("assistant", answer(said, history))]
    questions = [m.content.rsplit("\n", 1)[-1] for m in history if m.role == "assistant"]

    assert len(set(questions)) == len(questions)


def test_a_tool_round_does_not_hide_what_the_client_said() -> None:
    history = [ChatMessage("user", "I am afraid of the talk"), ChatMessage("assistant", "")]

    assert "I am afraid of the talk" in answer("", history)


async def test_the_stream_is_the_answer_word_by_word_and_names_no_usage() -> None:
    request = ChatRequest("demo", "", [ChatMessage("user", SAID[3])])
    *deltas, last = [event async for event in OfflineProvider(word_delay_s=0).stream(request)]

    words = [event.text for event in deltas if isinstance(event, TextDelta)]
    assert len(words) == len(deltas) == len(coaching_answer(request).split())
    assert "".join(words) == coaching_answer(request)
    assert last == Stop("end")


async def test_words_come_at_their_pace_and_streams_do_not_wait_for_each_other() -> None:
    async def seconds() -> float:
        started = perf_counter()
        request = ChatRequest("demo", "", [ChatMessage("user", "Hi!")])
        count = len([event async for event in OfflineProvider(word_delay_s=0.002).stream(request)])
        assert count > 50
        return perf_counter() - started

    taken = await asyncio.gather(*(seconds() for _ in range(10)))
    assert all(0.1 < t < 1.0 for t in taken)
