"""REST, server-sent events and sockets, through a real server."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from conversations.models import Conversation, Message
from conversations.services import start_conversation
from opencoach.accounts.services import create_api_key
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast
from tests.live import WebProcess, whole_text
from tests.model_server import ModelServer


@pytest.fixture
def conversation(web: WebProcess, committed_cast: Cast) -> Conversation:
    with workspace_scope(committed_cast.workspace.id):
        assert committed_cast.dana.client
        return start_conversation(client=committed_cast.dana.client)


def path(conversation: Conversation, rest: str = "") -> str:
    return f"/api/v1/conversations/{conversation.id}/{rest}"


def message(text: str = "Hello there", **fields: Any) -> dict[str, Any]:
    return {"content": text, "client_message_id": str(uuid4()), **fields}


def test_a_message_is_accepted_at_once_and_its_reply_can_be_waited_for(
    web: WebProcess, committed_cast: Cast, conversation: Conversation
) -> None:
    with web.http(committed_cast.dana) as dana:
        first = dana.post(path(conversation, "messages/"), json=message("First"))
        assert first.status_code == 202
        assert first.json()["message"]["source"] == "client"
        assert first.json()["turn"]["id"]
        waited = dana.post(
            path(conversation, "messages/"), json=message("Second"), headers={"Prefer": "wait=30"}
        )
        assert waited.status_code == 201
        assert waited.json()["reply"]["source"] == "ai"
        assert waited.json()["reply"]["metadata"]["answers"] >= waited.json()["message"]["seq"]
        assert len(waited.headers["X-Trace-Id"]) == 32


def test_the_same_message_again_returns_the_first_result(
    web: WebProcess, committed_cast: Cast, conversation: Conversation
) -> None:
    sent = message()
    with web.http(committed_cast.dana) as dana:
        wait = {"Prefer": "wait=30"}
        first = dana.post(path(conversation, "messages/"), json=sent, headers=wait).json()
        again = dana.post(path(conversation, "messages/"), json=sent, headers=wait).json()
        assert again == first
        log = dana.get(path(conversation, "messages/")).json()["results"]
        assert [each["source"] for each in log] == ["client", "ai"]


def test_an_event_stream_ends_with_the_whole_reply(
    web: WebProcess, committed_cast: Cast, conversation: Conversation, model_server: ModelServer
) -> None:
    model_server.default(tokens=30, tps=200)
    with web.http(committed_cast.dana, Accept="text/event-stream") as dana:
        response = dana.post(path(conversation, "messages/"), json=message())
    assert response.headers["Content-Type"] == "text/event-stream"
    events = [
        json.loads(line.removeprefix("data: "))
        for line in response.text.splitlines()
        if line.startswith("data: ")
    ]
    assert events[0]["type"] == "message.created"
    assert events[-1]["type"] == "message.completed"
    assert whole_text(events) == events[-1]["message"]["content"]


def test_a_socket_streams_tokens_to_client_and_coach_alike(
    web: WebProcess, committed_cast: Cast, conversation: Conversation, model_server: ModelServer
) -> None:
    model_server.default(tokens=40, tps=100)
    address = f"/ws/conversations/{conversation.id}/"
    with (
        web.socket(address, committed_cast.dana) as dana,
        web.socket(address, committed_cast.alice) as alice,
    ):
        assert dana.until("hello")["mode"] == "ai"
        alice.until("hello")
        dana.send("message.send", **message())
        for socket in (dana, alice):
            completed = socket.until("message.completed")
            assert whole_text(socket.frames) == completed["message"]["content"]
            assert sum(frame["type"] == "message.delta" for frame in socket.frames) > 3


def test_whoever_comes_late_gets_the_text_from_its_beginning(
    web: WebProcess, committed_cast: Cast, conversation: Conversation, model_server: ModelServer
) -> None:
    model_server.default(tokens=60, tps=60)
    address = f"/ws/conversations/{conversation.id}/"
    with web.socket(address, committed_cast.dana) as dana:
        dana.until("hello")
        dana.send("message.send", **message())
        dana.until("message.delta")
        with web.socket(address, committed_cast.alice) as alice:
            assert alice.until("hello")["turn"]
            completed = alice.until("message.completed")
            assert whole_text(alice.frames) == completed["message"]["content"]


def test_a_reconnecting_socket_gets_what_it_missed(
    web: WebProcess, committed_cast: Cast, conversation: Conversation
) -> None:
    address = f"/ws/conversations/{conversation.id}/"
    with web.socket(address, committed_cast.dana) as dana:
        dana.until("hello")
        dana.send("message.send", **message("One"))
        dana.until("message.completed")
    with web.http(committed_cast.dana) as http:
        http.post(path(conversation, "messages/"), json=message("Two"), headers={"Prefer": "wait"})
        http.post(
            path(conversation, "messages/"), json=message("Three"), headers={"Prefer": "wait=30"}
        )
    with web.socket(f"{address}?after=2", committed_cast.dana) as dana:
        dana.until("hello")
        seqs = [dana.next()["seq"] for _ in range(2)]
        assert seqs == [3, 4]


def test_takeover_over_the_socket_silences_the_clone_and_hand_back_wakes_it(
    web: WebProcess, committed_cast: Cast, conversation: Conversation, model_server: ModelServer
) -> None:
    model_server.default(tokens=200, tps=100)
    address = f"/ws/conversations/{conversation.id}/"
    with (
        web.socket(address, committed_cast.dana) as dana,
        web.socket(address, committed_cast.alice) as alice,
    ):
        dana.until("hello")
        alice.until("hello")
        dana.send("message.send", **message("Tell me everything"))
        alice.until("message.delta")
        alice.send("takeover")
        assert alice.until("mode.changed")["holder_name"] == "Alice"
        alice.send("message.send", **message("I am here myself."))
        human = dana.until("message.created", timeout_s=10)
        while human["message"]["source"] != "human_coach":
            human = dana.until("message.created", timeout_s=10)
        after = dana.frames[[f["type"] for f in dana.frames].index("mode.changed") :]
        assert [frame["type"] for frame in after] == ["mode.changed", "message.created"]
        model_server.reset()
        dana.send("message.send", **message("And now?"))
        alice.send("handback", mode="answer_pending", note="Be brief.")
        reply = dana.until("message.completed")
        assert reply["message"]["content"] == ModelServer.reply_to("And now?")


def test_the_inbox_tells_coaches_what_happens_in_every_conversation(
    web: WebProcess, committed_cast: Cast, conversation: Conversation
) -> None:
    with web.socket("/ws/inbox/", committed_cast.bob) as bob:
        bob.until("hello")
        with web.http(committed_cast.dana) as dana:
            dana.post(path(conversation, "messages/"), json=message("Hello"))
        completed = bob.until("message.completed")
        assert completed["summary"]["client_name"] == "Dana"
        assert completed["summary"]["last_message"]["source"] == "ai"


def test_typing_reaches_the_other_side_only(
    web: WebProcess, committed_cast: Cast, conversation: Conversation
) -> None:
    address = f"/ws/conversations/{conversation.id}/"
    with (
        web.socket(address, committed_cast.dana) as dana,
        web.socket(address, committed_cast.alice) as alice,
    ):
        dana.until("hello")
        alice.until("hello")
        alice.send("typing")
        assert dana.next()["type"] == "coach.typing"
        alice.send("ping")
        assert alice.next()["type"] == "pong"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("not json", "not_json"),
        ('{"type": NaN}', "not_json"),
        ("[1, 2]", "no_type"),
        ('{"type": 7}', "no_type"),
        ('{"type": "dance"}', "unknown_type"),
        ('{"type": "message.send"}', "not_text"),
        ('{"type": "message.send", "content": ""}', "empty"),
        ('{"type": "message.send", "content": {"a": 1}}', "not_text"),
        ('{"type": "message.send", "content": "a\\u0000b"}', "not_text"),
        ('{"type": "message.send", "content": "\\ud800"}', "not_json"),
        ('{"type": "message.send", "content": "hi", "colour": "red"}', "unknown_field"),
        ('{"type": "message.send", "content": "hi", "client_message_id": 7}', "client_message_id"),
        ('{"type": "takeover"}', "not_allowed"),
        ('{"type": "handback", "mode": "answer_pending"}', "not_allowed"),
    ],
)
def test_a_bad_frame_gets_an_error_and_the_socket_lives_on(
    web: WebProcess, committed_cast: Cast, conversation: Conversation, frame: str, code: str
) -> None:
    with web.socket(f"/ws/conversations/{conversation.id}/", committed_cast.dana) as dana:
        dana.until("hello")
        dana.connection.send(frame)
        error = dana.next()
        assert (error["type"], error["code"]) == ("error", code)
        assert error["detail"]
        dana.send("ping")
        assert dana.next()["type"] == "pong"


def test_a_frame_of_a_megabyte_is_refused_and_nothing_is_stored(
    web: WebProcess, committed_cast: Cast, conversation: Conversation
) -> None:
    with web.socket(f"/ws/conversations/{conversation.id}/", committed_cast.dana) as dana:
        dana.until("hello")
        dana.send("message.send", content="x" * 1_000_000)
        assert dana.next()["code"] == "too_long"
    with workspace_scope(committed_cast.workspace.id):
        assert not conversation.messages.exists()


SOCKETS = {
    "nobody": (None, "not_signed_in", "not_signed_in"),
    "dana": ("dana", "hello", "not_allowed"),
    "alice": ("alice", "hello", "hello"),
    "bob": ("bob", "hello", "hello"),
    "charlie": ("charlie", "not_found", "hello"),
    "erin": ("erin", "not_found", "not_allowed"),
}


@pytest.mark.parametrize(("person", "thread", "inbox"), SOCKETS.values(), ids=SOCKETS)
def test_each_role_gets_the_sockets_that_are_theirs(
    web: WebProcess,
    committed_cast: Cast,
    conversation: Conversation,
    person: str | None,
    thread: str,
    inbox: str,
) -> None:
    who = getattr(committed_cast, person) if person else None
    addresses = {f"/ws/conversations/{conversation.id}/": thread, "/ws/inbox/": inbox}
    for address, expected in addresses.items():
        with web.socket(address, who) as socket:
            first = socket.next()
            assert first.get("code", first["type"]) == expected


def test_a_client_token_opens_its_own_conversations_and_no_other(
    web: WebProcess, committed_cast: Cast, conversation: Conversation
) -> None:
    from opencoach.accounts.secrets import sign_client_token

    assert committed_cast.dana.client
    assert committed_cast.erin.client
    dana = sign_client_token(committed_cast.workspace.id, committed_cast.dana.client.id)
    erin = sign_client_token(committed_cast.elsewhere.id, committed_cast.erin.client.id)
    address = f"/ws/conversations/{conversation.id}/"
    with web.socket(address, token=dana) as socket:
        assert socket.connection.subprotocol == "bearer"
        assert socket.next()["type"] == "hello"
    with web.socket(address, token=erin) as socket:
        assert socket.next()["code"] == "not_found"
    with web.socket(address, token="oct_forged") as socket:
        assert socket.next()["code"] == "unknown_token"


def test_a_key_that_may_only_read_cannot_speak_for_a_client(
    web: WebProcess, committed_cast: Cast, conversation: Conversation
) -> None:
    with workspace_scope(committed_cast.workspace.id):
        _, key = create_api_key(
            workspace=committed_cast.workspace, name="reader", scopes=["conversations:read"]
        )
    with web.socket(f"/ws/conversations/{conversation.id}/", token=key) as socket:
        assert socket.next()["type"] == "hello"
        for command in ({"type": "message.send", **message()}, {"type": "typing"}):
            socket.connection.send(json.dumps(command))
            assert socket.next()["code"] == "not_allowed"
    with workspace_scope(committed_cast.workspace.id):
        assert not conversation.messages.exists()


def test_a_log_of_thousands_is_read_from_its_start_once_and_in_order(
    web: WebProcess, committed_cast: Cast, conversation: Conversation
) -> None:
    with workspace_scope(committed_cast.workspace.id):
        Message.objects.bulk_create(
            Message(
                workspace=committed_cast.workspace,
                conversation=conversation,
                seq=seq,
                source="client",
                content=f"No. {seq}",
            )
            for seq in range(1, 2502)
        )
        Conversation.objects.filter(id=conversation.id).update(last_seq=2501)
    with web.socket(f"/ws/conversations/{conversation.id}/?after=0", committed_cast.dana) as dana:
        dana.until("hello")
        assert [dana.next()["seq"] for _ in range(2501)] == list(range(1, 2502))


def test_another_site_cannot_open_a_socket_with_the_session(
    web: WebProcess, committed_cast: Cast, conversation: Conversation
) -> None:
    address = f"/ws/conversations/{conversation.id}/"
    with web.socket(address, committed_cast.dana, origin="https://evil.example") as socket:
        assert socket.next()["code"] == "origin"


def test_an_unknown_socket_address_is_closed_with_a_reason(web: WebProcess) -> None:
    from websockets.exceptions import ConnectionClosed

    with web.socket("/ws/nowhere/") as socket, pytest.raises(ConnectionClosed) as closed:
        socket.next()
    assert closed.value.rcvd and closed.value.rcvd.code == 4404


def test_unknown_conversations_are_not_found(web: WebProcess, committed_cast: Cast) -> None:
    with web.socket(f"/ws/conversations/{UUID(int=0)}/", committed_cast.alice) as socket:
        assert socket.next()["code"] == "not_found"
