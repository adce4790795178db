"""Which workspace the database lets us see: the second lock behind every filter.

A context variable names the scope; the connection (`opencoach.common.postgres`) carries it to
PostgreSQL as the setting `opencoach.scope`; each tenant table forces a policy that compares it
with `workspace_id`. No scope, no rows: forgetting fails closed. Context variables follow a
request into its threads and tasks, so web, sockets, Celery and commands share this one mechanism.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from uuid import UUID

from django.db import migrations

NOTHING = ""
EVERYTHING = "*"

_scope: ContextVar[str] = ContextVar("workspace_scope", default=NOTHING)


def current_scope() -> str:
    """The workspace's id, `EVERYTHING`, or `NOTHING`."""
    return _scope.get()


@contextmanager
def _scoped(value: str) -> Iterator[None]:
    token = _scope.set(value)
    try:
        yield
    finally:
        _scope.reset(token)


def workspace_scope(workspace_id: UUID | str) -> AbstractContextManager[None]:
    """Within this block queries see and write rows of one workspace only."""
    return _scoped(str(UUID(str(workspace_id))))


def every_workspace(reason: str) -> AbstractContextManager[None]:
    """Lifts the isolation for the block. `reason` says why, to whoever reads the call.

    Who may call it is a reasoned list in `tests/architecture/test_tenancy.py`.
    """
    if not reason:
        raise ValueError("say why this block needs to see every workspace")
    return _scoped(EVERYTHING)


def no_workspace() -> AbstractContextManager[None]:
    """A clean start: what is entered inside the block is left at its end."""
    return _scoped(NOTHING)


def enter_workspace(workspace_id: UUID | str) -> None:
    """Sets the scope until the current context, or the `no_workspace` block around it, ends."""
    _scope.set(str(UUID(str(workspace_id))))


# The sub-selects make PostgreSQL read the setting once a query, not once a row.
_SETTING = "(SELECT current_setting('opencoach.scope', true))"
_POLICY = f"""
    {_SETTING} = '{EVERYTHING}'
    OR workspace_id = (
        SELECT nullif(nullif(current_setting('opencoach.scope', true), ''), '{EVERYTHING}')::uuid
    )
"""


class IsolateByWorkspace(migrations.RunSQL):
    """Migration operation: forces the workspace policy on tables that have `workspace_id`."""

    def __init__(self, *tables: str) -> None:
        super().__init__(
            sql=[
                statement
                for table in tables
                for statement in (
                    f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
                    f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
                    f'CREATE POLICY workspace_isolation ON "{table}" USING ({_POLICY})',
                )
            ],
            reverse_sql=[
                statement
                for table in tables
                for statement in (
                    f'DROP POLICY workspace_isolation ON "{table}"',
                    f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY',
                    f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
                )
            ],
        )
        self.tables = tables

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        return (self.__class__.__name__, list(self.tables), {})


class AppendOnly(migrations.RunSQL):
    """Migration operation: the database refuses to change or remove rows of these tables."""

    def __init__(self, *tables: str) -> None:
        super().__init__(
            sql=[
                """
                CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
                USING ERRCODE = 'integrity_constraint_violation'; END $$
                """,
                *(
                    f'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "{table}" '
                    "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
                    for table in tables
                ),
            ],
            reverse_sql=[f'DROP TRIGGER append_only ON "{table}"' for table in tables],
        )
        self.tables = tables

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        return (self.__class__.__name__, list(self.tables), {})
