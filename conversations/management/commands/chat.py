"""`manage.py chat --workspace SLUG [--client EXTERNAL_ID]`: talk to the clone in the terminal."""

import asyncio
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.exceptions import Refused
from conversations.home import call_home
from conversations.live.frames import Frame
from conversations.live.view import LiveView, is_answer
from conversations.models import Conversation
from conversations.services import start_conversation
from conversations.turns.engine import handle_message
from opencoach.accounts.models import Client, Workspace
from opencoach.ai.calls import close_models
from opencoach.common.rls import workspace_scope


class Command(BaseCommand):
    help = "Talk to a coach's clone in the terminal. An empty line or Ctrl-D ends it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--client", metavar="EXTERNAL_ID", help="default: the newest client")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace.objects.filter(slug=options["workspace"]).first()
        if workspace is None:
            known = ", ".join(Workspace.objects.values_list("slug", flat=True)[:10]) or "none yet"
            raise CommandError(f"No workspace has this slug. Known: {known}.")
        with workspace_scope(workspace.id):
            client = self._client(workspace, options["client"])
            conversation = start_conversation(client=client)
            self.stdout.write(f"You are {client} and talk to {conversation.coach.clone_name}.")
            try:
                self._talk(conversation)
            finally:
                call_home(close_models())

    def _client(self, workspace: Workspace, external_id: str | None) -> Client:
        clients = Client.objects.filter(workspace=workspace).order_by("-id")
        if external_id:
            clients = clients.filter(external_id=external_id)
        client = clients.select_related("coach").first()
        if client is None:
            raise CommandError("There is no such client in this workspace: create one first.")
        return client

    def _talk(self, conversation: Conversation) -> None:
        seq = 0
        while text := self._read():
            try:
                seq = call_home(self._send_and_print(conversation, text, seq))
            except Refused as refused:
                self.stderr.write(refused.detail)

    def _read(self) -> str:
        try:
            return input("\n> ").strip()
        except EOFError:
            return ""

    async def _send_and_print(self, conversation: Conversation, text: str, after: int) -> int:
        """Returns the `seq` up to which everything was shown."""
        async with LiveView(conversation.id, after=after) as view:
            accepted = await handle_message(
                conversation_id=conversation.id,
                content=text,
                client_message_id=str(uuid4()),
                author_name=str(conversation.client),
            )
            streamed = False
            while True:
                frame = await asyncio.wait_for(view.next(), 120)
                streamed = self._print(frame, streamed)
                if is_answer(frame, accepted.message.seq) or accepted.turn_id is None:
                    self.stdout.write("")
                    return view.seq

    def _print(self, frame: Frame, streamed: bool) -> bool:
        """Returns whether part of a reply stands on the line."""
        match frame["type"]:
            case "message.delta":
                self.stdout.write(frame["text"], ending="")
                self.stdout.flush()
                return True
            case "message.reset":
                self.stdout.write("\n… once more:\n")
                return False
            case "message.completed" if not streamed:
                self.stdout.write(frame["message"]["content"])
            case "message.created" if frame["message"]["source"] != "client":
                self.stdout.write(
                    f"{frame['message']['author_name']}: {frame['message']['content']}"
                )
        return streamed
