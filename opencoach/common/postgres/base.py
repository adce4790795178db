"""Django's PostgreSQL backend, whose connection names the workspace it works for.

The scope is sent lazily, before the first statement that needs it, and only when it changed: a
thread that serves one workspace pays one round trip. PostgreSQL reverts a setting when the
transaction (or savepoint) that made it rolls back, so a rollback makes ours unknown.
"""

from typing import Any

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from opencoach.common.rls import current_scope


class DatabaseWrapper(base.DatabaseWrapper):
    _sent_scope: str | None = None
    """The scope PostgreSQL has for this connection; `None` when we cannot know."""

    def create_cursor(self, name: str | None = None) -> Any:
        scope = current_scope()
        if scope != self._sent_scope and not self._transaction_failed():
            with self.connection.cursor() as cursor:
                cursor.execute("SELECT set_config('opencoach.scope', %s, false)", [scope])
            self._sent_scope = scope
        return super().create_cursor(name)

    def init_connection_state(self) -> None:
        self._sent_scope = None
        super().init_connection_state()

    def _rollback(self) -> None:
        self._sent_scope = None
        super()._rollback()  # type: ignore[misc]  # unknown to the stubs

    def _savepoint_rollback(self, sid: str) -> None:
        try:
            super()._savepoint_rollback(sid)  # type: ignore[misc]
        finally:
            # Only now: the statement above goes through `create_cursor` itself.
            self._sent_scope = None

    def _commit(self) -> None:
        # COMMIT of a failed transaction is a rollback, and says so only in its command tag.
        failed = self._transaction_failed()
        super()._commit()  # type: ignore[misc]
        if failed:
            self._sent_scope = None

    def _transaction_failed(self) -> bool:
        """PostgreSQL then takes nothing but a rollback, which needs no scope."""
        if self.connection is None:
            return False
        return bool(self.connection.info.transaction_status == TransactionStatus.INERROR)
