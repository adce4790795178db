"""Ours, made ready: clients of the demo practice, a conversation and a token for each.

`python -m benchmarks.practice COUNT` prints them as one line of JSON.
"""

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opencoach.settings")
django.setup()

from conversations.models import Conversation  # noqa: E402
from opencoach.accounts.models import Client, Coach, Workspace  # noqa: E402
from opencoach.accounts.secrets import sign_client_token  # noqa: E402
from opencoach.accounts.views import DEMO_WORKSPACE  # noqa: E402
from opencoach.common.rls import workspace_scope  # noqa: E402


def make_conversations(count: int) -> list[tuple[str, str]]:
    """(conversation, client token) pairs."""
    workspace = Workspace.objects.get(slug=DEMO_WORKSPACE)
    with workspace_scope(workspace.id):
        coach = Coach.objects.get()
        clients = [
            Client(workspace=workspace, coach=coach, external_id=f"bench-{n}", name=f"Client {n}")
            for n in range(count)
        ]
        Client.objects.bulk_create(clients)
        conversations = [
            Conversation(workspace=workspace, client=client, coach=coach) for client in clients
        ]
        Conversation.objects.bulk_create(conversations)
    return [
        (str(conversation.id), sign_client_token(workspace.id, client.id))
        for conversation, client in zip(conversations, clients, strict=True)
    ]


if __name__ == "__main__":
    print(json.dumps(make_conversations(int(sys.argv[1]))))
