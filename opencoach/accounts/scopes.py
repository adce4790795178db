"""What a caller may do over the API, in the words that API keys are given."""

from django.db import models


class Scope(models.TextChoices):
    CLIENTS_READ = "clients:read"
    CLIENTS_WRITE = "clients:write"
    CONVERSATIONS_READ = "conversations:read"
    CONVERSATIONS_WRITE = "conversations:write"
    CONVERSATIONS_COACH = "conversations:coach", "take over, answer as the coach, hand back"
    KNOWLEDGE_READ = "knowledge:read"
    KNOWLEDGE_WRITE = "knowledge:write"
    USAGE_READ = "usage:read"
    SETTINGS_WRITE = "settings:write"


ALL_SCOPES: frozenset[str] = frozenset(Scope.values)
# A client talks in their own conversations; which these are is decided by the caller's client.
CLIENT_SCOPES: frozenset[str] = frozenset({Scope.CONVERSATIONS_READ, Scope.CONVERSATIONS_WRITE})
COACH_SCOPES: frozenset[str] = ALL_SCOPES - {Scope.SETTINGS_WRITE}
