"""A turn whose process died is run again, and answers exactly once."""

from collections.abc import Callable

from conversations import takeover
from conversations.home import call_home
from conversations.models import Source, TurnStatus
from conversations.services import start_conversation
from conversations.turns.accept import accept
from conversations.turns.commit import Reply, commit_reply
from conversations.turns.sweep import MOST_ATTEMPTS, reclaim
from conversations.turns.sweeper import sweep
from opencoach.accounts.services import create_client, erase_client
from opencoach.common.rls import workspace_scope
from tests.conversations.conftest import Stage
from tests.conversations.test_turns import ledger, wait_for_visible_text
from tests.model_server import ModelServer


def accept_and_die(stage: Stage, text: str = "Hello") -> None:
    """The message is stored and its turn opened, by a process that then is no more."""
    with workspace_scope(stage.cast.workspace.id):
        accept(
            conversation_id=stage.conversation.id,
            content=text,
            client_message_id=None,
            author_name="Dana",
        )
    stage.expire_lease()


def test_an_expired_turn_is_answered_once_and_its_lost_call_is_on_the_ledger(stage: Stage) -> None:
    accept_and_die(stage)
    call_home(sweep())
    call_home(sweep())
    stage.settle()
    assert stage.said_by(Source.AI) == [ModelServer.reply_to("Hello")]
    assert [entry.status for entry in ledger(stage)] == ["abandoned", "ok"]
    assert stage.turns[0].attempt == 2


def test_a_slow_first_run_that_comes_back_finds_its_right_gone(
    stage: Stage, models: Callable[..., None]
) -> None:
    models("gpt-test!tokens@40!tps@60")
    stage.say("Hello")
    wait_for_visible_text(stage)
    stage.expire_lease()
    call_home(sweep())
    stage.settle()
    assert len(stage.said_by(Source.AI)) == 1
    assert stage.turns[0].status == TurnStatus.COMPLETED


def test_an_expired_turn_under_a_human_is_discarded(stage: Stage) -> None:
    accept_and_die(stage)
    stage.intervene(takeover.take_over)
    call_home(sweep())
    assert stage.said_by(Source.AI) == []
    assert stage.turns[0].status == TurnStatus.DISCARDED


def test_one_turn_that_cannot_be_reclaimed_does_not_hold_up_the_others(stage: Stage) -> None:
    accept_and_die(stage)
    erased = Stage(stage.cast)
    with workspace_scope(stage.cast.workspace.id):
        assert stage.cast.alice.coach
        client, _ = create_client(coach=stage.cast.alice.coach, external_id="gone")
        erased.conversation = start_conversation(client=client)
        accept_and_die(erased)
        erase_client(client=client)
    call_home(sweep())
    stage.settle()
    assert len(stage.said_by(Source.AI)) == 1


def test_a_turn_that_takes_its_process_down_every_time_fails_calmly(stage: Stage) -> None:
    accept_and_die(stage)
    for _ in range(MOST_ATTEMPTS - 1):
        with workspace_scope(stage.cast.workspace.id):
            reclaim(stage.cast.workspace.id, stage.turns[0].id)
        stage.expire_lease()
    call_home(sweep())
    assert stage.turns[0].status == TurnStatus.FAILED
    assert len(stage.said_by(Source.SYSTEM)) == 1


def test_a_commit_whose_acknowledgement_was_lost_is_found_and_not_doubled(stage: Stage) -> None:
    with workspace_scope(stage.cast.workspace.id):
        accepted = accept(
            conversation_id=stage.conversation.id,
            content="Hello",
            client_message_id=None,
            author_name="Dana",
        )
        assert accepted.opened
        reply = Reply("Hi.", [], {"answers": 1})
        for _ in range(2):
            committed = commit_reply(
                accepted.opened, reply, author_name="Clone", record={}, entries=[]
            )
            assert committed.message
            assert committed.message.seq == 2
    assert stage.said_by(Source.AI) == ["Hi."]
