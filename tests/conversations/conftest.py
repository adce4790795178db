"""Conversations of the cast, with a model server that speaks the vendors' wire formats."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.utils.timezone import now

from conversations import takeover
from conversations.home import call_home
from conversations.live.frames import stored_frames
from conversations.models import Conversation, Message, Turn, TurnStatus
from conversations.services import start_conversation
from conversations.turns.accept import Accepted
from conversations.turns.engine import handle_message
from conversations.turns.runs import runs
from opencoach.accounts.access import Caller, caller_from_user
from opencoach.common.hops import close_hop_connections
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast
from tests.model_server import ModelServer


@pytest.fixture
def models(model_server: ModelServer, settings: Any) -> Callable[..., None]:
    """`models("gpt-test!cut", anthropic="claude-test")`: which models the clone asks."""

    def use(openai: str = "gpt-test", anthropic: str = "", **limits: float) -> None:
        settings.OPENAI_API_KEY, settings.OPENAI_MODEL = "sk-test", openai
        settings.OPENAI_BASE_URL = model_server.openai_url
        settings.ANTHROPIC_API_KEY = "sk-ant-test" if anthropic else ""
        settings.ANTHROPIC_BASE_URL = model_server.url if anthropic else ""
        settings.ANTHROPIC_MODEL = anthropic
        settings.MODEL_LIMITS = {"first_token_s": 3.0, "gap_s": 1.0, "whole_s": 8.0} | limits

    use()
    return use


class Stage:
    """A conversation between Dana and Alice's clone, driven from the test's own thread."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        assert cast.dana.client
        with workspace_scope(cast.workspace.id):
            self.conversation = start_conversation(client=cast.dana.client)
            self.dana = self._caller(cast.dana)
            self.alice = self._caller(cast.alice)
            self.bob = self._caller(cast.bob)

    @staticmethod
    def _caller(person: Any) -> Caller:
        caller = caller_from_user(person.user)
        assert caller
        return caller

    def say(self, content: str, client_message_id: str | None = None) -> Accepted:
        with workspace_scope(self.cast.workspace.id):
            return call_home(
                handle_message(
                    conversation_id=self.conversation.id,
                    content=content,
                    client_message_id=client_message_id or str(uuid4()),
                    author_name="Dana",
                )
            )

    def intervene(self, operation: Any, *args: Any, by: Caller | None = None) -> takeover.Change:
        with workspace_scope(self.cast.workspace.id):
            return call_home(
                takeover.intervene(operation, self.conversation.id, by or self.alice, *args)
            )

    def settle(self) -> None:
        """Waits until nothing runs in this process for this conversation."""
        call_home(self._settled())

    async def _settled(self) -> None:
        while run := runs().of(self.conversation.id):
            await asyncio.wait([run.task])

    @property
    def row(self) -> Conversation:
        with workspace_scope(self.cast.workspace.id):
            return Conversation.objects.get(id=self.conversation.id)

    @property
    def messages(self) -> list[Message]:
        with workspace_scope(self.cast.workspace.id):
            return list(Message.objects.filter(conversation=self.conversation).order_by("seq"))

    def said_by(self, source: str) -> list[str]:
        return [message.content for message in self.messages if message.source == source]

    @property
    def turns(self) -> list[Turn]:
        with workspace_scope(self.cast.workspace.id):
            return list(Turn.objects.filter(conversation=self.conversation).order_by("id"))

    @property
    def log(self) -> list[dict[str, Any]]:
        with workspace_scope(self.cast.workspace.id):
            return stored_frames(self.conversation.id, after=0)

    def expire_lease(self) -> None:
        with workspace_scope(self.cast.workspace.id):
            Turn.objects.filter(status=TurnStatus.RUNNING).update(lease_until=now())


@pytest.fixture
def stage(committed_cast: Cast, models: Any) -> Iterator[Stage]:
    stage = Stage(committed_cast)
    yield stage
    stage.settle()
    close_hop_connections()
