"""Delete erases: everything that was said goes, and what it cost stays countable."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from psycopg import connect

from conversations.models import Conversation, ConversationEvent, Message, Turn
from opencoach.accounts.services import erase_client
from opencoach.common.rls import every_workspace, workspace_scope
from tests.architecture.practice import Practice, make_practice
from tests.live import database_url
from usage.models import LedgerEntry


@pytest.fixture
def practice(db: None) -> Practice:
    with every_workspace("a practice with a row of every model"):
        return make_practice(1)


def test_what_was_said_goes_and_the_ledger_stays(practice: Practice) -> None:
    with workspace_scope(practice.workspace.id):
        erase_client(client=practice.row("accounts.client"))
        for model in (Conversation, Turn, Message, ConversationEvent):
            assert not model.objects.exists(), model
        assert LedgerEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_message_that_arrives_meanwhile_neither_survives_nor_stops_it() -> None:
    with every_workspace("a practice with a row of every model"):
        practice = make_practice(1)
    client, conversation = (
        practice.row("accounts.client"),
        practice.row("conversations.conversation"),
    )

    def erase() -> None:
        try:
            with workspace_scope(practice.workspace.id):
                erase_client(client=client)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads, workspace_scope(practice.workspace.id):
        with transaction.atomic():
            Conversation.objects.select_for_update().get(id=conversation.id)
            erasing = threads.submit(erase)
            _wait_for_a_waiter()
            Message.objects.create(
                workspace=practice.workspace,
                conversation=conversation,
                seq=9,
                source="ai",
                content="Just in time",
            )
        erasing.result(timeout=20)
        assert not Message.objects.exists()
        with pytest.raises(IntegrityError):
            Message.objects.create(
                workspace=practice.workspace,
                conversation=conversation,
                seq=10,
                source="ai",
                content="Too late",
            )


def _wait_for_a_waiter() -> None:
    """Until another session waits for a lock that this one holds."""
    with connect(database_url(), autocommit=True) as watcher:
        while True:
            waiting = watcher.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone()
            if waiting and waiting[0]:
                return
