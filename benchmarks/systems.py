"""The three systems under test, each started as its own processes on a fresh database."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from benchmarks.processes import PROJECT, free_port, running, wait_until_it_answers
from benchmarks.servers import Machine, plain_environment
from opencoach.embedded import ensure_secrets

MODEL = "gpt-4.1-mini"


@dataclass(frozen=True)
class System:
    """A running one, with a socket address for each conversation."""

    name: str
    pid: int
    """Of its root process; what it costs is this and all that descends from it."""
    database: str
    sockets: list[dict[str, Any]]
    parts: dict[str, int] = field(default_factory=dict)
    """Processes below the root that are also shown by themselves."""


@contextmanager
def ours(machine: Machine, conversations: int) -> Iterator[System]:
    """`manage.py serve`, as `make run` starts it: supervisor, web, worker with beat.

    The demo practice with its texts ingested; a client, a token and a conversation for each
    socket; default log level; cost by the price table.
    """
    database, port = "bench_opencoach", free_port()
    log = machine.folder / "opencoach.log"
    machine.empty_redis()
    serve = [sys.executable, "manage.py", "serve", "--port", str(port), "--stop-with-parent"]
    with (
        machine.fresh_database(database) as database_url,
        running(serve, environment := our_environment(machine, database_url), log) as process,
    ):
        wait_until_it_answers(f"http://127.0.0.1:{port}/readyz", process, log)
        _wait_for_documents(machine, database)
        made = subprocess.run(
            [sys.executable, "-m", "benchmarks.practice", str(conversations)],
            cwd=PROJECT,
            env=environment,
            check=True,
            capture_output=True,
        )
        sockets = [
            {
                "url": f"ws://127.0.0.1:{port}/ws/conversations/{conversation}/",
                "protocols": ["bearer", token],
            }
            for conversation, token in json.loads(made.stdout)
        ]
        yield System("OpenCoach", process.pid, database, sockets, _parts(process.pid))


def _parts(supervisor: int) -> dict[str, int]:
    names = {"daphne": "web", "celery": "worker"}
    return {
        names[module]: child.pid
        for child in psutil.Process(supervisor).children()
        for module in names
        if module in child.cmdline()
    }


def our_environment(machine: Machine, database_url: str) -> dict[str, str]:
    secrets = ensure_secrets(machine.folder)
    return plain_environment() | {
        "DATABASE_URL": database_url,
        "REDIS_URL": machine.redis_url,
        "SECRET_KEY": secrets.secret_key,
        "FIELD_ENCRYPTION_KEYS": secrets.field_encryption_keys,
        "OPENCOACH_DATA": str(machine.folder),
        "OPENAI_API_KEY": "sk-bench",
        "OPENAI_BASE_URL": machine.models.openai_url,
        "OPENAI_MODEL": MODEL,
        # Named empty, so that a developer's `.env` cannot add a provider.
        "ANTHROPIC_API_KEY": "",
        "ANTHROPIC_BASE_URL": "",
        "AWS_REGION": "",
        "BEDROCK_BASE_URL": "",
    }


def _wait_for_documents(machine: Machine, database: str, within_s: float = 120) -> None:
    deadline = time.monotonic() + within_s
    with machine.superuser(database) as connection:
        while connection.execute(
            "SELECT count(*) = 0 OR bool_or(status <> 'ready') FROM knowledge_document"
        ).fetchone() != (False,):
            if time.monotonic() > deadline:
                raise RuntimeError("the demo texts were not read in time")
            time.sleep(0.2)


@contextmanager
def floor(machine: Machine, conversations: int) -> Iterator[System]:
    """`benchmarks/floor.py` on Daphne."""
    database, port = "bench_floor", free_port()
    log = machine.folder / "floor.log"
    daphne = [sys.executable, "-m", "daphne", "-v", "0", "-p", str(port)]
    with machine.fresh_database(database) as database_url:
        environment = plain_environment() | {
            "FLOOR_DATABASE_URL": database_url,
            "FLOOR_MODEL_URL": machine.models.openai_url,
        }
        with running([*daphne, "benchmarks.floor:application"], environment, log) as process:
            wait_until_it_answers(f"http://127.0.0.1:{port}/", process, log)
            yield System("floor", process.pid, database, _plain_sockets(port, conversations))


@contextmanager
def langgraph(python: Path, machine: Machine, conversations: int) -> Iterator[System]:
    """`benchmarks/langgraph_app.py` on uvicorn, by the Python of its own environment."""
    database, port = "bench_langgraph", free_port()
    log = machine.folder / "langgraph.log"
    uvicorn = [str(python), "-m", "uvicorn", "--log-level", "warning", "--port", str(port)]
    with machine.fresh_database(database) as database_url:
        environment = plain_environment() | {
            "LANGGRAPH_DATABASE_URL": database_url,
            "LANGGRAPH_MODEL_URL": machine.models.openai_url,
            "LANGGRAPH_MODEL": MODEL,
        }
        with running([*uvicorn, "benchmarks.langgraph_app:app"], environment, log) as process:
            wait_until_it_answers(f"http://127.0.0.1:{port}/readyz", process, log)
            yield System("langgraph", process.pid, database, _plain_sockets(port, conversations))


def _plain_sockets(port: int, conversations: int) -> list[dict[str, Any]]:
    return [{"url": f"ws://127.0.0.1:{port}/{uuid4()}/"} for _ in range(conversations)]
