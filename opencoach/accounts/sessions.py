"""The `SESSION_ENGINE`: Django's, with keys that are none told from those it gave out."""

from typing import Any

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: Any) -> bool:
        """A cookie can hold anything, such as a NUL, which PostgreSQL refuses with an error."""
        return isinstance(key, str) and 8 <= len(key) <= 40 and key.isascii() and key.isalnum()
