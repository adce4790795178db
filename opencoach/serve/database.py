"""Bring the database up to date before anything serves from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from django.core.management import CommandError, call_command
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from opencoach.accounts.checks import check_database_role

# Any number will do, if nobody else uses it.
LOCK = 0x0C0AC4


def prepare_database() -> None:
    """Migrate if there is something to migrate; load the demo practice if it is not there.

    Several hosts may start at once on one database: they take turns.
    """
    with _alone():
        _refuse_a_role_that_policies_do_not_bind()
        if _has_pending_migrations():
            call_command("migrate", interactive=False, verbosity=1)
        call_command("load_demo")
    connection.close()
    # The supervisor asks the database nothing more, and its pool has threads, which
    # a process that is about to fork is better off without.
    cast(DatabaseWrapper, connection).close_pool()


def _refuse_a_role_that_policies_do_not_bind() -> None:
    if errors := check_database_role(databases=["default"]):
        raise CommandError("\n".join(f"{error.msg}\n{error.hint}" for error in errors))


def _has_pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


@contextmanager
def _alone() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
