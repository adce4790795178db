"""Whatever a provider does, the client gets one whole answer, and the ledger has every attempt."""

import json
from uuid import uuid4

import httpx
import pytest

from conversations.models import Source
from conversations.services import start_conversation
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast
from tests.live import WebProcess, whole_text
from tests.model_server import ModelServer
from usage.models import LedgerEntry

# What the first model (Anthropic) does, how often it is asked, and whether text of it was visible.
# After a time-out, and once something was visible, the next model is asked at once.
FAULTS = {
    "429": ("429@1", 2, False),
    "500": ("500", 2, False),
    "529": ("529", 2, False),
    "time-out": ("timeout", 1, False),
    "cut before the first token": ("cut_before_first_token", 2, False),
    "cut": ("cut@8", 1, True),
    "stall": ("stall@8", 1, True),
    "bad chunk": ("bad_chunk@8", 1, True),
    "error event": ("error_event@8", 1, True),
    "end without its marker": ("end_without_marker@8", 1, True),
    "malformed tool arguments": ({"fault": "bad_tool_arguments", "tool": "forged"}, 2, False),
}


@pytest.mark.parametrize(("fault", "times", "visible"), FAULTS.values(), ids=FAULTS)
def test_one_whole_answer_and_every_attempt_on_the_ledger(
    web: WebProcess,
    committed_cast: Cast,
    model_server: ModelServer,
    fault: str | dict[str, str],
    times: int,
    visible: bool,
) -> None:
    marker = f"marker-{uuid4().hex}"
    model_server.script(
        *[f"{fault}!tps@150" if isinstance(fault, str) else fault] * times, marker=marker
    )
    with workspace_scope(committed_cast.workspace.id):
        assert committed_cast.dana.client
        conversation = start_conversation(client=committed_cast.dana.client)
    frames = _stream(web, committed_cast, f"/api/v1/conversations/{conversation.id}/", marker)
    assert frames[-1]["type"] == "message.completed"
    reply = frames[-1]["message"]
    assert whole_text(frames) == reply["content"] == ModelServer.reply_to(f"Hello {marker}")
    assert ("message.reset" in [frame["type"] for frame in frames]) == visible
    with workspace_scope(committed_cast.workspace.id):
        replies = conversation.messages.filter(source=Source.AI)
        assert [message.content for message in replies] == [reply["content"]]
        entries = list(LedgerEntry.objects.filter(turn_id=reply["turn"]).order_by("attempt"))
    calls = model_server.calls(entries[0].trace_id)
    assert [(entry.provider, entry.model) for entry in entries] == [
        (call["vendor"], call["model"]) for call in calls
    ]
    assert [entry.status for entry in entries] == ["failed"] * times + ["ok"]
    assert entries[-1].provider == "openai"
    assert entries[-1].prompt_tokens == calls[-1]["prompt_tokens"]
    assert entries[-1].completion_tokens == calls[-1]["completion_tokens_sent"]


def test_all_providers_down_is_a_calm_message_within_the_limit(
    web: WebProcess, committed_cast: Cast, model_server: ModelServer
) -> None:
    marker = f"marker-{uuid4().hex}"
    model_server.script(*["500"] * 8, marker=marker)
    with workspace_scope(committed_cast.workspace.id):
        assert committed_cast.dana.client
        conversation = start_conversation(client=committed_cast.dana.client)
    with web.socket("/ws/inbox/", committed_cast.alice) as alice:
        alice.until("hello")
        path = f"/api/v1/conversations/{conversation.id}/"
        frames = _stream(web, committed_cast, path, marker)
        assert frames[-1]["type"] == "turn.failed"
        while not alice.until("message.created")["summary"]["needs_human"]:
            pass
    with workspace_scope(committed_cast.workspace.id):
        calm = conversation.messages.get(source=Source.SYSTEM)
    assert "Your message is safe" in calm.content


def _stream(web: WebProcess, cast: Cast, path: str, marker: str) -> list[dict]:  # type: ignore[type-arg]
    with web.http(cast.dana, Accept="text/event-stream") as dana:
        sent = {"content": f"Hello {marker}", "client_message_id": marker}
        response: httpx.Response = dana.post(f"{path}messages/", json=sent)
    return [
        json.loads(line.removeprefix("data: "))
        for line in response.text.splitlines()
        if line.startswith("data: ")
    ]
