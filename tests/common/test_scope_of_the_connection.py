"""The connection tells PostgreSQL the workspace at hand, whatever rolls back in between."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from opencoach.accounts.models import Client
from opencoach.common.rls import enter_workspace, every_workspace, no_workspace, workspace_scope
from tests.conftest import Cast


def visible_clients() -> set[str]:
    return set(Client.objects.values_list("external_id", flat=True))


def scope_in_postgres() -> str:
    """As the server has it: read past our own cursor, which would send the scope first."""
    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        return str(cursor.execute("SELECT current_setting('opencoach.scope', true)").fetchone()[0])


def test_without_a_scope_no_row_is_seen(cast: Cast) -> None:
    assert visible_clients() == set()


def test_a_scope_shows_its_own_workspace_only(cast: Cast) -> None:
    with workspace_scope(cast.workspace.id):
        assert visible_clients() == {"dana"}
    with workspace_scope(cast.elsewhere.id):
        assert visible_clients() == {"erin"}


def test_nested_scopes_are_left_in_order(cast: Cast) -> None:
    with workspace_scope(cast.workspace.id):
        with workspace_scope(cast.elsewhere.id):
            with every_workspace("the innermost of three"):
                assert visible_clients() == {"dana", "erin"}
            assert visible_clients() == {"erin"}
        assert visible_clients() == {"dana"}
    assert visible_clients() == set()


def test_an_error_leaves_the_scope_it_was_raised_in(cast: Cast) -> None:
    with (
        workspace_scope(cast.workspace.id),
        pytest.raises(ZeroDivisionError),
        workspace_scope(cast.elsewhere.id),
    ):
        raise ZeroDivisionError
    assert visible_clients() == set()


def test_a_rollback_does_not_bring_an_older_scope_back(committed_cast: Cast) -> None:
    with workspace_scope(committed_cast.elsewhere.id):
        assert visible_clients() == {"erin"}
    with workspace_scope(committed_cast.workspace.id), transaction.atomic():
        assert visible_clients() == {"dana"}
        transaction.set_rollback(True)
    assert scope_in_postgres() == str(committed_cast.elsewhere.id)  # PostgreSQL went back
    with workspace_scope(committed_cast.workspace.id):
        assert visible_clients() == {"dana"}


def test_a_rolled_back_savepoint_does_not_bring_an_older_scope_back(committed_cast: Cast) -> None:
    """The savepoint's end is itself a statement: it must not count as having sent the scope."""
    with workspace_scope(committed_cast.elsewhere.id), transaction.atomic():
        with transaction.atomic():
            enter_workspace(committed_cast.workspace.id)
            assert visible_clients() == {"dana"}
            transaction.set_rollback(True)
        assert visible_clients() == {"dana"}


def test_a_savepoint_can_be_rolled_back_after_a_database_error(committed_cast: Cast) -> None:
    dana = committed_cast.dana.client
    assert dana is not None
    with workspace_scope(committed_cast.workspace.id), transaction.atomic():
        with pytest.raises(IntegrityError), transaction.atomic():
            Client.objects.create(
                workspace_id=dana.workspace_id, coach_id=dana.coach_id, external_id="dana"
            )
        assert visible_clients() == {"dana"}


def test_a_scope_left_by_a_database_error_does_not_break_the_transaction_around(
    committed_cast: Cast,
) -> None:
    erin = committed_cast.erin.client
    assert erin is not None
    with workspace_scope(committed_cast.workspace.id), transaction.atomic():
        assert visible_clients() == {"dana"}
        with (
            pytest.raises(IntegrityError),
            transaction.atomic(),
            workspace_scope(committed_cast.elsewhere.id),
        ):
            Client.objects.create(
                workspace_id=erin.workspace_id, coach_id=erin.coach_id, external_id="erin"
            )
        assert visible_clients() == {"dana"}


def test_two_threads_keep_their_scopes_apart(committed_cast: Cast) -> None:
    together = Barrier(2, timeout=10)

    def ask(workspace_id: UUID) -> set[str]:
        try:
            with workspace_scope(workspace_id):
                together.wait()
                first = visible_clients()
                together.wait()
                return first | visible_clients()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        here = threads.submit(ask, committed_cast.workspace.id)
        there = threads.submit(ask, committed_cast.elsewhere.id)
        assert here.result() == {"dana"}
        assert there.result() == {"erin"}


def test_a_connection_from_the_pool_brings_no_scope_with_it(committed_cast: Cast) -> None:
    with workspace_scope(committed_cast.workspace.id):
        assert visible_clients() == {"dana"}
    connection.close()  # back to the pool, with the setting still on it
    with no_workspace():
        assert visible_clients() == set()
    connection.close()
    with workspace_scope(committed_cast.elsewhere.id):
        assert visible_clients() == {"erin"}


def test_the_scope_is_sent_once_and_not_with_each_query(committed_cast: Cast) -> None:
    sent = []

    def watch(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        sent.append(sql)
        return execute(sql, params, many, context)

    with workspace_scope(committed_cast.workspace.id):
        visible_clients()
        before = connection._sent_scope  # type: ignore[attr-defined]
        with connection.execute_wrapper(watch):
            visible_clients()
            visible_clients()
        assert connection._sent_scope == before == str(committed_cast.workspace.id)  # type: ignore[attr-defined]
    assert len(sent) == 2
