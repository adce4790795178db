"""The main job over REST, each answer held against the committed schema."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis

from knowledge.services import add_document
from knowledge.tasks import ingest_document
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast
from tests.knowledge.conftest import RETAINER
from tests.live import PROJECT, WebProcess, web_process
from tests.model_server import ModelServer

schema = schemathesis.openapi.from_path(PROJECT / "docs" / "openapi.yaml")


class Checked:
    """An HTTP client that asks the schema about every answer."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __call__(
        self, method: str, route: str, body: Any = None, prefer: str = "", **values: Any
    ) -> Any:
        path = f"/api/v1/{route}"
        response = self._client.request(
            method,
            path.format(**values),
            json=body,
            headers={"Prefer": prefer} if prefer else {},
        )
        assert response.status_code < 400, response.text
        schema[path][method].validate_response(response)
        return response.json()


@pytest.fixture
def web(committed_cast: Cast, model_server: ModelServer) -> Iterator[WebProcess]:
    """Without a model: the offline clone answers, which cites."""
    with web_process(model_server, ANTHROPIC_BASE_URL="", OPENAI_BASE_URL="") as web:
        yield web


def test_the_main_job_answers_as_the_schema_says(web: WebProcess, committed_cast: Cast) -> None:
    alice_coach, dana_client = committed_cast.alice.coach, committed_cast.dana.client
    assert alice_coach
    assert dana_client
    with workspace_scope(committed_cast.workspace.id):
        document, _ = add_document(coach=alice_coach, title="Pricing", text=RETAINER)
    ingest_document(str(document.workspace_id), str(document.id))
    with web.http(committed_cast.dana) as for_dana, web.http(committed_cast.alice) as for_alice:
        dana, alice = Checked(for_dana), Checked(for_alice)
        one = {"conversation_id": dana("POST", "conversations/", {})["id"]}
        talk = "conversations/{conversation_id}/"
        asked = {"content": "How do I price a retainer?", "client_message_id": str(uuid4())}
        answered = dana("POST", f"{talk}messages/", asked, prefer="wait=30", **one)
        assert answered["reply"]["citations"]
        why = alice("GET", f"{talk}turns/{{turn_id}}/", turn_id=answered["turn"]["id"], **one)
        assert why["passages"]
        assert why["timings"]
        alice("POST", f"{talk}takeover/", {}, **one)
        assert dana("POST", f"{talk}messages/", {"content": "Anna?"}, **one)["turn"] is None
        alice("POST", f"{talk}messages/", {"content": "Here I am."}, **one)
        alice("POST", f"{talk}handback/", {"mode": "only_new", "note": "Be brief."}, **one)
        alice("POST", f"{talk}pause/", {}, **one)
        alice("POST", f"{talk}resume/", {}, **one)
        assert len(dana("GET", f"{talk}messages/", **one)["results"]) == 4
        assert len(dana("GET", f"{talk}events/", **one)["results"]) > 4
        assert alice("GET", "conversations/")["results"]
        alice("GET", talk, **one)
        alice("POST", f"{talk}complete/", {}, **one)
        assert alice("GET", "documents/")["results"][0]["passages"] == 1
        assert alice("GET", "usage/")["results"]
        found = alice("POST", "knowledge/search/", {"query": "retainer", "min_score": 0})
        assert found["results"]
        alice("POST", "clients/{client_id}/tokens/", {}, client_id=str(dana_client.id))
