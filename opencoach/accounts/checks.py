"""The second lock behind every filter binds only a role that row-level security binds."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections


@register(Tags.database)
def check_database_role(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs with `migrate`, with `check --database default`, and when the servers start."""
    return [error for alias in databases or [] for error in _errors_of(alias)]


def _errors_of(alias: str) -> list[CheckMessage]:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        role, is_super, bypasses = cursor.fetchone()
    return role_errors(alias, role, is_super=is_super, bypasses=bypasses)


def role_errors(alias: str, role: str, *, is_super: bool, bypasses: bool) -> list[CheckMessage]:
    if not (is_super or bypasses):
        return []
    why = "is a superuser" if is_super else "has BYPASSRLS"
    return [
        Error(
            f"The database role {role!r} {why}: row-level security does not bind it, and a query "
            "without a filter would show every workspace's rows.",
            hint=(
                "Connect as a role of the application's own: CREATE ROLE opencoach LOGIN PASSWORD "
                "'…' NOSUPERUSER NOBYPASSRLS; make it the owner of the database and of its tables "
                "(REASSIGN OWNED), and name it in DATABASE_URL."
            ),
            obj=alias,
            id="accounts.E001",
        )
    ]
