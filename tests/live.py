"""A real web process on the test database, and what talks to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from django.conf import settings
from django.db import connection
from websockets.sync.client import ClientConnection, connect

from opencoach.accounts.models import ProviderKey
from opencoach.accounts.secrets import encrypt
from opencoach.common.rls import workspace_scope
from tests.conftest import PASSWORD, Cast, Person
from tests.model_server import ModelServer

PROJECT = Path(__file__).resolve().parent.parent


def database_url() -> str:
    database = connection.settings_dict
    user, password, host = database["USER"], database["PASSWORD"], database["HOST"]
    secret = f":{quote(password, safe='')}" if password else ""
    return f"postgres://{user}{secret}@{quote(host, safe='')}:{database['PORT']}/{database['NAME']}"


class WebProcess:
    """Daphne as `serve` starts it; it can be killed and started again on its port."""

    def __init__(self, **environment: str) -> None:
        self.environment = os.environ | {
            "DATABASE_URL": database_url(),
            "SECRET_KEY": settings.SECRET_KEY,
            "DATABASE_POOL": "8",
            "LOG_LEVEL": "ERROR",
            **environment,
        }
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.password = PASSWORD

    def start(self) -> None:
        fd = self._listener.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "daphne", "-e", f"fd:fileno={fd}", "opencoach.asgi:application"],
            cwd=PROJECT,
            env=self.environment,
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
        )
        self.wait_until_ready()

    def wait_until_ready(self, within_s: float = 60) -> None:
        deadline = time.monotonic() + within_s
        while True:
            try:
                httpx.get(f"{self.url}/healthz", timeout=5).raise_for_status()
                return
            except httpx.HTTPError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        self._listener.close()

    # --- callers --------------------------------------------------------------------------------

    def http(self, person: Person | None = None, token: str = "", **headers: str) -> httpx.Client:
        """An HTTP client: signed in as a person, with a bearer token, or nobody."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        client = httpx.Client(base_url=self.url, headers=headers, timeout=60)
        if person:
            session = session_of(person)
            client.cookies.set(settings.SESSION_COOKIE_NAME, session)
            client.cookies.set("csrftoken", "a" * 32)
            client.headers["X-CSRFToken"] = "a" * 32
        return client

    def socket(
        self, path: str, person: Person | None = None, token: str = "", origin: str | None = None
    ) -> "Socket":
        headers = {}
        if person:
            headers["Cookie"] = f"{settings.SESSION_COOKIE_NAME}={session_of(person)}"
        return Socket(
            f"ws://127.0.0.1:{self.port}{path}",
            additional_headers=headers,
            subprotocols=["bearer", token] if token else None,
            origin=origin,
            open_timeout=20,
            close_timeout=2,
        )


class Socket:
    """A WebSocket client that keeps what it received."""

    connection: ClientConnection

    def __init__(self, address: str, **options: Any) -> None:
        self._opening = connect(address, **options)
        self.frames: list[dict[str, Any]] = []

    def __enter__(self) -> "Socket":
        self.connection = self._opening.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._opening.__exit__(*exc)

    def send(self, kind: str, **fields: Any) -> None:
        self.connection.send(json.dumps({"type": kind, **fields}))

    def next(self, timeout_s: float = 20) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self.connection.recv(timeout_s))
        self.frames.append(frame)
        return frame

    def until(self, kind: str, timeout_s: float = 30, **fields: Any) -> dict[str, Any]:
        """Reads on to the first frame of this type and with these fields."""
        deadline = time.monotonic() + timeout_s
        while True:
            frame = self.next(max(0.1, deadline - time.monotonic()))
            if frame["type"] == kind and all(frame.get(k) == v for k, v in fields.items()):
                return frame


def whole_text(frames: list[dict[str, Any]]) -> str:
    """What a page shows: the deltas after the last reset. Checks that they come in order."""
    deltas: list[dict[str, Any]] = []
    for frame in frames:
        if frame["type"] == "message.reset":
            deltas = []
        elif frame["type"] == "message.delta":
            deltas.append(frame)
    assert [delta["index"] for delta in deltas] == list(range(len(deltas)))
    return "".join(delta["text"] for delta in deltas)


def session_of(person: Person) -> str:
    cookie = person.browser().cookies[settings.SESSION_COOKIE_NAME]
    return str(cookie.value)


def own_keys(cast: Cast) -> None:
    """Keys of the practice's own, so that no other test's faults open its circuit breaker."""
    with workspace_scope(cast.workspace.id):
        for provider in ("anthropic", "openai"):
            secret = encrypt(f"sk-{provider}-{cast.workspace.id.hex}")
            ProviderKey.objects.update_or_create(
                workspace=cast.workspace,
                provider=provider,
                defaults={"ciphertext": secret, "hint": "test"},
            )


@contextmanager
def web_process(model_server: ModelServer, **environment: str) -> Iterator[WebProcess]:
    """A web process whose models are the model server's: Anthropic first, then OpenAI."""
    web = WebProcess(
        **{
            "ANTHROPIC_BASE_URL": model_server.url,
            "ANTHROPIC_MODEL": "claude-test",
            "OPENAI_BASE_URL": model_server.openai_url,
            "OPENAI_MODEL": "gpt-test",
            "MODEL_FIRST_TOKEN_SECONDS": "4",
            "MODEL_GAP_SECONDS": "1",
            "MODEL_WHOLE_SECONDS": "20",
            **environment,
        }
    )
    web.start()
    yield web
    web.stop()


@pytest.fixture(scope="session")
def _web(django_db_setup: None, model_server_process: ModelServer) -> Iterator[WebProcess]:
    with web_process(model_server_process) as web:
        yield web


@pytest.fixture
def web(_web: WebProcess, committed_cast: Cast, model_server: ModelServer) -> WebProcess:
    """The web process, with the cast in its database and nothing scripted."""
    own_keys(committed_cast)
    return _web
