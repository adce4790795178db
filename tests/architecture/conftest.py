"""Fresh things for each role to try its hands on."""

from dataclasses import dataclass
from hashlib import sha256

import pytest
from django.test import Client as Browser
from django.utils.timezone import now

from conversations.models import Conversation, Turn, TurnStatus
from knowledge.models import Document, DocumentStatus
from opencoach.accounts.models import User
from opencoach.accounts.services import create_api_key, create_client
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast, Person


@dataclass
class Stage:
    """Each `arguments()` makes new ones, so that no role meets the traces of another."""

    cast: Cast
    fay: Person
    tries: int = 0

    def person(self, role: str) -> Person | None:
        if role == "nobody":
            return None
        return self.fay if role == "fay" else getattr(self.cast, role)  # type: ignore[no-any-return]

    def browser(self, role: str) -> Browser:
        person = self.person(role)
        return person.browser() if person else Browser()

    def arguments(self) -> dict[str, str]:
        self.tries += 1
        alice, dana = self.cast.alice.coach, self.cast.dana.client
        assert alice
        assert dana
        with workspace_scope(alice.workspace_id):
            spare, _ = create_client(coach=alice, external_id=f"spare-{self.tries}")
            conversation = Conversation.objects.create(
                workspace_id=alice.workspace_id, client=dana, coach=alice
            )
            turn = Turn.objects.create(
                workspace_id=alice.workspace_id,
                conversation=conversation,
                status=TurnStatus.COMPLETED,
                epoch=0,
                lease_until=now(),
                input_seq=0,
                trace_id="0" * 32,
            )
            document = Document.objects.create(
                workspace_id=alice.workspace_id,
                coach=alice,
                title="Goals",
                text="A goal.",
                digest=sha256(str(self.tries).encode()).digest(),
                status=DocumentStatus.READY,
            )
            key, _ = create_api_key(workspace=self.cast.workspace, name=f"key {self.tries}")
        return {
            "client_id": str(spare.id),
            "conversation_id": str(conversation.id),
            "turn_id": str(turn.id),
            "document_id": str(document.id),
            "key_id": str(key.id),
            "provider": "openai",
        }


@pytest.fixture
def stage(committed_cast: Cast) -> Stage:
    """Committed: interventions run on the loop's own connections."""
    alice = committed_cast.alice.coach
    assert alice
    fay = User.objects.create(email="fay@example.com", name="Fay")
    with workspace_scope(alice.workspace_id):
        client, _ = create_client(coach=alice, external_id="fay", user=fay)
    return Stage(committed_cast, Person(fay, client=client))
