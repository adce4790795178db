"""Beginning conversations."""

from conversations.models import Conversation
from opencoach.accounts.models import Client, Coach


def start_conversation(*, client: Client, coach: Coach | None = None) -> Conversation:
    """A new conversation with the client's coach, or another coach of the practice."""
    return Conversation.objects.create(
        workspace_id=client.workspace_id, client=client, coach=coach or client.coach
    )
