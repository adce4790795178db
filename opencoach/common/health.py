"""Is this process alive, and can it serve?

Each probe has a connection of its own and two seconds: a server that hangs, rather than refuses,
must not hang whoever asks. Probes are coroutines because those can be given up for good.
"""

import asyncio
from collections.abc import Coroutine
from functools import cache
from typing import Any

import psycopg
import redis.asyncio
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, JsonResponse

from opencoach.common.problems import CONTENT_TYPE, problem

PROBE_SECONDS = 2.0
RETRY_AFTER_SECONDS = 5


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. Nothing else is asked: a restart would not bring a database back."""
    return JsonResponse({"ok": True})


async def readyz(request: HttpRequest) -> JsonResponse:
    """200, or 503 that names what is away; `checks` has a word for each."""
    (database, migrations), redis_state = await asyncio.gather(_database(), _state(_redis()))
    checks = {"database": database, "redis": redis_state, "migrations": migrations}
    wrong = [f"{name} ({state})" for name, state in checks.items() if state != "ok"]
    if not wrong:
        return JsonResponse({"ready": True, "checks": checks})
    body = problem(503, f"Not ready: {', '.join(wrong)}.", code="unavailable")
    response = JsonResponse(
        body | {"ready": False, "checks": checks}, status=503, content_type=CONTENT_TYPE
    )
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


async def _state(probe: Coroutine[Any, Any, str]) -> str:
    """What the probe says; `away` when its server refuses, breaks off or takes too long."""
    try:
        return await asyncio.wait_for(probe, PROBE_SECONDS)
    except (OSError, TimeoutError, psycopg.Error, redis.RedisError):
        return "away"


async def _database() -> tuple[str, str]:
    """The database's state and the migrations'."""
    migrations = await _state(_migrations())
    return ("away", "unknown") if migrations == "away" else ("ok", migrations)


async def _migrations() -> str:
    database = settings.DATABASES["default"]
    connection = await psycopg.AsyncConnection.connect(
        host=database["HOST"],
        port=database["PORT"],
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        **{key: value for key, value in database["OPTIONS"].items() if key != "pool"},
    )
    try:
        rows = await connection.execute("SELECT app, name FROM django_migrations")
        applied = {(str(app), str(name)) for app, name in await rows.fetchall()}
    except psycopg.errors.UndefinedTable:
        applied = set()
    finally:
        await connection.close()
    missing = _migrations_on_disk() - applied
    return f"{len(missing)} to apply: run manage.py migrate" if missing else "ok"


@cache
def _migrations_on_disk() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


async def _redis() -> str:
    async with redis.asyncio.from_url(settings.REDIS_URL) as server:
        await server.ping()
    return "ok"
