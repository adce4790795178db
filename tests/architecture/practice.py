"""One row of every tenant model, in a practice of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.utils.timezone import now

from opencoach.accounts.models import User, Workspace
from opencoach.accounts.secrets import encrypt
from tests.architecture.sources import PACKAGES


def our_models() -> list[type[Model]]:
    """Every table of ours, those that Django makes for many-to-many fields included."""
    ours = [app for app in apps.get_app_configs() if app.name.partition(".")[0] in PACKAGES]
    found = [model for app in ours for model in app.get_models(include_auto_created=True)]
    return [model for model in found if model._meta.managed and not model._meta.proxy]


def tenant_models() -> list[type[Model]]:
    return [
        model
        for model in our_models()
        if "workspace_id" in {each.attname for each in model._meta.concrete_fields}
    ]


@dataclass
class Practice:
    """`row(label)` makes the model's row, and first the rows it hangs on; asked again, the same."""

    number: int
    workspace: Workspace
    rows: dict[str, Any] = field(default_factory=dict)

    def row(self, label: str) -> Any:
        if label not in self.rows:
            fields = ROWS[label](self)
            self.rows[label] = apps.get_model(label)._base_manager.create(
                workspace=self.workspace, **fields
            )
        return self.rows[label]


def make_practice(number: int) -> Practice:
    """A practice with a row of every tenant model. The caller's scope must let it."""
    workspace = Workspace.objects.create(slug=f"practice-{number}", name=f"Practice {number}")
    practice = Practice(number, workspace)
    for model in tenant_models():
        practice.row(model._meta.label_lower)
    return practice


ROWS: dict[str, Callable[[Practice], dict[str, Any]]] = {
    "accounts.membership": lambda p: {
        "user": User.objects.create(email=f"coach-{p.number}@example.com"),
        "role": "owner",
    },
    "accounts.coach": lambda p: {
        "membership": p.row("accounts.membership"),
        "name": "Coach",
        "clone_name": "Clone",
    },
    "accounts.client": lambda p: {"coach": p.row("accounts.coach"), "external_id": "one"},
    "accounts.apikey": lambda p: {
        "name": "site",
        "digest": sha256(bytes([p.number])).digest(),
        "hint": "ock_",
        "scopes": ["clients:read"],
    },
    "accounts.providerkey": lambda p: {
        "provider": "openai",
        "ciphertext": encrypt("sk-1"),
        "hint": "sk-1",
    },
    "conversations.conversation": lambda p: {
        "client": p.row("accounts.client"),
        "coach": p.row("accounts.coach"),
    },
    "conversations.turn": lambda p: {
        "conversation": p.row("conversations.conversation"),
        "epoch": 0,
        "lease_until": now(),
        "input_seq": 1,
        "trace_id": "0" * 32,
    },
    "conversations.message": lambda p: {
        "conversation": p.row("conversations.conversation"),
        "seq": 1,
        "source": "client",
        "content": "Hello",
    },
    "conversations.conversationevent": lambda p: {
        "conversation": p.row("conversations.conversation"),
        "seq": 2,
        "type": "mode.changed",
    },
    "knowledge.document": lambda p: {
        "coach": p.row("accounts.coach"),
        "title": "Goals",
        "text": "A goal.",
        "digest": sha256(b"A goal.").digest(),
    },
    "knowledge.passage": lambda p: {
        "document": p.row("knowledge.document"),
        "position": 0,
        "text": "A goal.",
        "start": 0,
        "end": 7,
    },
    "knowledge.passagevector": lambda p: {
        "coach": p.row("accounts.coach"),
        "passage": p.row("knowledge.passage"),
        "embedder": "test",
        "embedding": [0.0] * 384,
    },
    "usage.ledgerentry": lambda p: {
        "action": "reply",
        "provider": "offline",
        "model": "offline",
        "status": "ok",
    },
}
