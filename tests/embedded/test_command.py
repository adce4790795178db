import os
from pathlib import Path

import pytest

from opencoach.embedded import ensure_secrets
from opencoach.embedded.command import NOWHERE, complete_environment, environment
from opencoach.embedded.pytest_plugin import _worker_redis_url

VARIABLES = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FIELD_ENCRYPTION_KEYS")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that names nothing but an empty state folder."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENCOACH_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("arguments", [[], ["help"], ["serve", "--help"], ["spectacular"]])
def test_a_command_that_needs_no_server_starts_none(bare: Path, arguments: list[str]) -> None:
    with environment(["manage.py", *arguments]):
        assert {name: os.environ[name] for name in NOWHERE} == NOWHERE
    assert not (bare / "postgres").exists()
    assert not (bare / "redis").exists()


def test_a_command_finds_its_secrets_in_the_state_folder(bare: Path) -> None:
    with environment(["manage.py", "help"]):
        assert os.environ["SECRET_KEY"] == ensure_secrets(bare).secret_key
        assert os.environ["FIELD_ENCRYPTION_KEYS"] == ensure_secrets(bare).field_encryption_keys


def test_what_the_environment_names_is_left_alone(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, f"my {name}")
    with environment(["manage.py", "migrate"]):
        assert [os.environ[name] for name in VARIABLES] == [f"my {name}" for name in VARIABLES]
    assert list(bare.iterdir()) == []


def test_only_the_server_that_is_missing_is_started(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/mine")
    with complete_environment(bare, durable=False):
        assert os.environ["DATABASE_URL"] == "postgresql://elsewhere/mine"
        assert os.environ["REDIS_URL"].startswith("redis://:")
    assert not (bare / "postgres").exists()


def test_each_test_process_has_a_redis_database_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw3")
    assert _worker_redis_url("redis://:secret@127.0.0.1:1234/0") == (
        "redis://:secret@127.0.0.1:1234/4"
    )
