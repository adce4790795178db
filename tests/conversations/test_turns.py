"""A turn from what the client said to one reply."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from conversations import takeover
from conversations.exceptions import Invalid, WrongMode
from conversations.home import call_home
from conversations.live.view import LiveView
from conversations.models import Source, TurnStatus
from opencoach.common.rls import workspace_scope
from tests.conversations.conftest import Stage
from tests.model_server import ModelServer
from usage.models import LedgerEntry


def ledger(stage: Stage) -> list[LedgerEntry]:
    with workspace_scope(stage.cast.workspace.id):
        return list(
            LedgerEntry.objects.filter(conversation_id=stage.conversation.id).order_by("created_at")
        )


def test_a_message_gets_one_reply_that_names_its_turn(stage: Stage) -> None:
    accepted = stage.say("How do I price a retainer?")
    stage.settle()
    said = [(message.source, message.seq) for message in stage.messages]
    assert said == [("client", 1), ("ai", 2)]
    assert stage.messages[1].turn_id == accepted.turn_id
    assert stage.messages[1].content == ModelServer.reply_to("How do I price a retainer?")
    assert stage.turns[0].status == TurnStatus.COMPLETED
    assert stage.turns[0].record["model"] == "gpt-test"


def test_the_same_client_message_id_is_one_message_and_one_reply(stage: Stage) -> None:
    first = stage.say("Hello", "m-1")
    again = stage.say("Hello", "m-1")
    stage.settle()
    later = stage.say("Hello", "m-1")
    assert again.repeated
    assert later.repeated
    assert {first.message.id, again.message.id, later.message.id} == {first.message.id}
    assert later.turn_id == first.turn_id
    assert [message.source for message in stage.messages] == ["client", "ai"]


def test_the_same_message_sent_at_the_same_moment_is_stored_once(stage: Stage) -> None:
    with ThreadPoolExecutor(8) as threads:
        accepted = list(threads.map(lambda _: stage.say("Hello", "m-1"), range(8)))
    stage.settle()
    assert sum(not each.repeated for each in accepted) == 1
    assert stage.said_by(Source.CLIENT) == ["Hello"]
    assert len(stage.said_by(Source.AI)) == 1


def test_a_client_message_id_cannot_be_used_for_another_text(stage: Stage) -> None:
    stage.say("Hello", "m-1")
    with pytest.raises(Invalid, match="used for another message"):
        stage.say("Goodbye", "m-1")


def test_a_burst_before_the_first_token_is_answered_once(
    stage: Stage, models: Callable[..., None]
) -> None:
    models("gpt-test!slow_first_token@400")
    for text in ("One thing.", "Another thing.", "And a third."):
        stage.say(text)
    stage.settle()
    assert stage.said_by(Source.CLIENT) == ["One thing.", "Another thing.", "And a third."]
    assert len(stage.said_by(Source.AI)) == 1
    assert stage.messages[-1].metadata["answers"] == 3
    assert len(stage.turns) == 1


def test_what_is_written_while_a_reply_is_visible_is_answered_next(
    stage: Stage, models: Callable[..., None]
) -> None:
    models("gpt-test!tokens@30!tps@100")
    stage.say("First.")
    wait_for_visible_text(stage)
    stage.say("Second.")
    stage.settle()
    assert [message.source for message in stage.messages] == ["client", "client", "ai", "ai"]
    assert [message.metadata["answers"] for message in stage.messages[2:]] == [1, 2]


def test_every_failed_attempt_and_the_one_that_answered_are_on_the_ledger(
    stage: Stage, models: Callable[..., None], model_server: ModelServer
) -> None:
    models("gpt-test", anthropic="claude-test!500")
    stage.say("Hello there")
    stage.settle()
    entries = ledger(stage)
    assert [(entry.provider, entry.status) for entry in entries] == [
        ("anthropic", "failed"),
        ("anthropic", "failed"),
        ("openai", "ok"),
    ]
    assert [entry.replaces_id for entry in entries[1:]] == [entries[0].id, entries[1].id]
    assert {entry.trace_id for entry in entries} == {stage.turns[0].trace_id}
    assert len(model_server.calls(stage.turns[0].trace_id)) == 3


def test_when_no_model_answers_the_client_gets_calm_words_and_the_turn_can_be_retried(
    stage: Stage, models: Callable[..., None]
) -> None:
    models("gpt-test!500")
    stage.say("Hello")
    stage.settle()
    assert stage.turns[0].status == TurnStatus.FAILED
    assert stage.row.needs_human
    assert [frame["type"] for frame in stage.log] == [
        "message.created",
        "turn.failed",
        "message.created",
    ]
    assert "Your message is safe" in stage.said_by(Source.SYSTEM)[0]

    models("gpt-test")
    stage.intervene(takeover.retry, stage.turns[0].id)
    stage.settle()
    assert stage.said_by(Source.AI) == [ModelServer.reply_to("Hello")]
    assert stage.turns[0].status == TurnStatus.COMPLETED
    assert not stage.row.needs_human


def test_a_completed_conversation_takes_no_more_messages(stage: Stage) -> None:
    stage.intervene(takeover.complete)
    with pytest.raises(WrongMode, match="completed"):
        stage.say("One more thing")


@pytest.mark.parametrize("content", ["", "   ", "a\x00b", "lone \ud800", "x" * 8001, None, 7])
def test_bad_content_is_refused_with_what_to_change(stage: Stage, content: str) -> None:
    with pytest.raises(Invalid, match="content"):
        stage.say(content)
    assert stage.messages == []


def wait_for_visible_text(stage: Stage) -> None:
    """Returns when the reply's first token was shown."""

    async def visible() -> None:
        async with LiveView(stage.conversation.id, after=0) as view:
            while (await view.next())["type"] != "message.delta":
                pass

    with workspace_scope(stage.cast.workspace.id):
        call_home(asyncio.wait_for(visible(), 20))
