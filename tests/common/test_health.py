import socket
from collections.abc import Iterator
from contextlib import closing
from time import monotonic
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser

from opencoach.common.health import PROBE_SECONDS


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def _database_at(settings: Any, **changes: Any) -> None:
    settings.DATABASES = {"default": settings.DATABASES["default"] | changes}


@pytest.fixture
def migrated(db: None, settings: Any) -> None:
    """The probe has a connection of its own: it asks the test database too."""
    _database_at(settings, NAME=connection.settings_dict["NAME"])


def test_a_process_that_answers_is_healthy() -> None:
    assert Browser().get("/healthz").status_code == 200


def test_ready_when_everything_is_there(migrated: None) -> None:
    response = Browser().get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "checks": {"database": "ok", "redis": "ok", "migrations": "ok"},
    }


def test_redis_away_is_named(migrated: None, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = Browser().get("/readyz")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["checks"] == {"database": "ok", "redis": "away", "migrations": "ok"}
    assert "redis" in response.json()["detail"]
    assert "database" not in response.json()["detail"]


def test_the_database_away_is_named(settings: Any) -> None:
    _database_at(settings, HOST="127.0.0.1", PORT=1)
    response = Browser().get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {
        "database": "away", "redis": "ok", "migrations": "unknown",
    }  # fmt: skip


def test_a_server_that_hangs_does_not_hang_the_answer(settings: Any, silent_port: int) -> None:
    _database_at(settings, HOST="127.0.0.1", PORT=silent_port)
    settings.REDIS_URL = f"redis://127.0.0.1:{silent_port}/0"
    started = monotonic()
    response = Browser().get("/readyz")
    assert monotonic() - started < 2 * PROBE_SECONDS
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == response.json()["checks"]["redis"] == "away"


def test_a_migration_that_is_not_applied_is_counted(migrated: None, settings: Any) -> None:
    _database_at(settings, NAME="postgres")  # there on every server, and never migrated
    checks = Browser().get("/readyz").json()["checks"]
    assert checks["database"] == "ok"
    assert "manage.py migrate" in checks["migrations"]
