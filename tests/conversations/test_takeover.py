"""Takeover and hand-back: from its instant on the clone is silent."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from conversations import takeover
from conversations.exceptions import Invalid, NotAllowed, WrongMode
from conversations.home import call_home
from conversations.live.bus import bus, conversation_topic
from conversations.live.view import LiveView
from conversations.models import Mode, Source, TurnStatus
from opencoach.common.rls import workspace_scope
from tests.conversations.conftest import Stage
from tests.conversations.races import race_takeovers
from tests.conversations.test_turns import ledger, wait_for_visible_text
from tests.model_server import ModelServer


def test_takeover_discards_the_reply_in_flight_and_closes_its_stream(
    stage: Stage, models: Callable[..., None], model_server: ModelServer
) -> None:
    models("gpt-test!tokens@200!tps@100")
    stage.say("Tell me everything.")
    wait_for_visible_text(stage)
    stage.intervene(takeover.take_over)
    stage.settle()
    assert stage.row.mode == Mode.HUMAN
    assert stage.said_by(Source.AI) == []
    assert stage.turns[0].status == TurnStatus.DISCARDED
    assert [entry.status for entry in ledger(stage)] == ["cancelled"]
    assert [call["finished"] for call in model_server.calls(stage.turns[0].trace_id)] == [False]


def test_no_delta_reaches_a_watcher_after_the_takeover(
    stage: Stage, models: Callable[..., None]
) -> None:
    models("gpt-test!tokens@200!tps@100")
    frames: list[dict[str, Any]] = []

    async def watch_a_takeover() -> None:
        async with LiveView(stage.conversation.id, after=0) as view:
            while len(frames) < 4:
                frames.append(await view.next())
            await takeover.intervene(takeover.take_over, stage.conversation.id, stage.alice)
            late = {"type": "message.delta", "epoch": 0, "turn": str(turn), "offset": 0}
            bus().publish(conversation_topic(stage.conversation.id), late | {"text": "late"})
            await takeover.intervene(
                takeover.write_as_coach, stage.conversation.id, stage.alice, "I am here.", None
            )
            while frames[-1]["type"] != "message.created" or frames[-1]["seq"] == 1:
                frames.append(await view.next())

    stage.say("Tell me everything.")
    with workspace_scope(stage.cast.workspace.id):
        turn = stage.turns[0].id
        call_home(watch_a_takeover())
    types = [frame["type"] for frame in frames]
    assert types[-2:] == ["mode.changed", "message.created"]
    assert "message.delta" in types


def test_a_coach_takes_over_by_just_writing(stage: Stage) -> None:
    stage.intervene(takeover.write_as_coach, "Hello Dana, it is me.", "c-1")
    stage.intervene(takeover.write_as_coach, "Hello Dana, it is me.", "c-1")
    assert [frame["type"] for frame in stage.log] == ["mode.changed", "message.created"]
    assert stage.row.mode == Mode.HUMAN
    assert stage.messages[0].author_name == "Alice"


def test_a_coachs_message_id_cannot_be_used_for_another_text(stage: Stage) -> None:
    stage.say("Hello", "m-1")
    stage.settle()
    with pytest.raises(Invalid, match="used for another message"):
        stage.intervene(takeover.write_as_coach, "Hello", "m-1")
    stage.intervene(takeover.write_as_coach, "I am here.", "c-1")
    with pytest.raises(Invalid, match="used for another message"):
        stage.intervene(takeover.write_as_coach, "I am still here.", "c-1")
    assert stage.said_by(Source.HUMAN_COACH) == ["I am here."]


def test_while_a_human_holds_it_messages_are_kept_and_not_answered(stage: Stage) -> None:
    stage.intervene(takeover.take_over)
    accepted = stage.say("Are you there?")
    stage.settle()
    assert accepted.turn_id is None
    assert stage.said_by(Source.AI) == []
    assert stage.row.has_pending


def test_hand_back_answers_what_is_pending_with_the_coach_in_the_prompt(
    stage: Stage, model_server: ModelServer
) -> None:
    stage.say("Hello")
    stage.settle()
    stage.intervene(takeover.write_as_coach, "I promise you a call on Friday.", None)
    stage.say("Which time?")
    stage.intervene(takeover.hand_back, "answer_pending", "She means her review.")
    stage.settle()
    assert stage.row.mode == Mode.AI
    assert stage.messages[-1].source == Source.AI
    body = str(model_server.calls(stage.turns[-1].trace_id, bodies=True)[-1]["body"])
    assert "[Alice, the human coach, wrote:] I promise you a call on Friday." in body
    assert "She means her review." in body


def test_hand_back_for_new_messages_only_leaves_the_old_ones_alone(stage: Stage) -> None:
    stage.intervene(takeover.take_over)
    stage.say("Old question")
    stage.intervene(takeover.hand_back, "only_new")
    stage.settle()
    assert stage.said_by(Source.AI) == []
    stage.say("New question")
    stage.settle()
    assert len(stage.said_by(Source.AI)) == 1


def test_a_pause_keeps_messages_and_resume_answers_them(stage: Stage) -> None:
    stage.intervene(takeover.pause)
    stage.say("Anyone?")
    stage.settle()
    assert stage.said_by(Source.AI) == []
    stage.intervene(takeover.resume)
    stage.settle()
    assert len(stage.said_by(Source.AI)) == 1


def test_taking_over_twice_is_once_and_a_teammate_can_step_in(stage: Stage) -> None:
    stage.intervene(takeover.take_over)
    stage.intervene(takeover.take_over)
    stage.intervene(takeover.take_over, by=stage.bob)
    changes = [frame["holder_name"] for frame in stage.log if frame["type"] == "mode.changed"]
    assert changes == ["Alice", "Bob"]


def test_only_coaches_intervene(stage: Stage) -> None:
    for operation in (takeover.take_over, takeover.pause, takeover.complete):
        with pytest.raises(NotAllowed):
            stage.intervene(operation, by=stage.dana)
    assert stage.row.mode == Mode.AI


def test_hand_back_needs_a_human_and_a_known_mode(stage: Stage) -> None:
    with pytest.raises(WrongMode):
        stage.intervene(takeover.hand_back, "answer_pending")
    stage.intervene(takeover.take_over)
    with pytest.raises(Invalid):
        stage.intervene(takeover.hand_back, "whatever")


def test_interventions_at_the_same_moment_leave_one_clear_order(stage: Stage) -> None:
    operations = [(takeover.take_over,), (takeover.hand_back, "answer_pending")] * 10
    random.Random(7).shuffle(operations)

    def intervene(arguments: tuple[Any, ...]) -> None:
        with suppress(WrongMode):
            stage.intervene(*arguments)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(intervene, operations))
    stage.settle()
    seqs = [frame["seq"] for frame in stage.log]
    assert seqs == list(range(1, len(seqs) + 1))
    assert stage.row.epoch == len(seqs)


def test_500_takeovers_at_random_instants_never_let_the_clone_speak(
    stage: Stage, models: Callable[..., None]
) -> None:
    models("gpt-test!tokens@12!tps@200!first_token_ms@10")
    result = race_takeovers(stage.cast, races=500, together=24, seed=500)
    assert result.races == 500
    assert result.ai_messages_after_takeover == 0
    assert result.deltas_after_takeover == 0
    # Takeovers came before, during and after the replies, or it was no race.
    assert result.discarded > 50
    assert result.answered > 50
