"""Who starts the servers, who shares them and who stops them.

Every process that uses them holds a shared lock on `users.lock`; the kernel drops
it when the process ends, by whatever means. The last one out stops the servers.
After a `kill -9` nobody did, so the next one in finds them running and takes them
over. Starting and stopping happen under `servers.lock`, one process at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from opencoach.embedded.postgres import Postgres
from opencoach.embedded.redis import Redis
from opencoach.embedded.secrets import ensure_secrets
from opencoach.embedded.server import Server
from opencoach.embedded.state import FileLock, locked, private_folder


@dataclass(frozen=True)
class Urls:
    """None for a server that is not asked for, or not running."""

    database_url: str | None
    redis_url: str | None


def urls(data_dir: Path) -> Urls | None:
    """Where the servers of this state folder are; None if neither runs. Starts nothing."""
    if not (data_dir / "secrets.json").exists():
        return None
    postgres, redis = _both(data_dir.resolve())
    found = Urls(
        postgres.url() if postgres.process() else None,
        redis.url() if redis.process() else None,
    )
    return found if found != Urls(None, None) else None


@contextmanager
def servers(
    data_dir: Path, *, postgres: bool = True, redis: bool = True, durable: bool = True
) -> Iterator[Urls]:
    """Have the servers for the length of the block, shared with whoever else does.

    `durable=False` trades safety on power loss for speed, where this call is the one
    that starts them. Raises ServerError if one does not start.
    """
    data_dir = private_folder(data_dir)
    database, cache = _both(data_dir, durable=durable)
    users = FileLock(data_dir / "users.lock")
    try:
        users.share()
        with locked(data_dir / "servers.lock"):
            if redis:
                cache.start()
            if postgres:
                database.start()
        yield Urls(database.url() if postgres else None, cache.url() if redis else None)
    finally:
        with locked(data_dir / "servers.lock"):
            if users.try_take():
                cache.stop()
                database.stop()
            users.release()


def revive(data_dir: Path, in_use: Urls) -> list[str]:
    """Start again, at the same address, what is in use and has died. Returns the names."""
    if not (data_dir / "secrets.json").exists():
        return []
    data_dir = data_dir.resolve()
    wanted = (in_use.database_url, in_use.redis_url)
    pairs: list[tuple[Server, str | None]] = list(zip(_both(data_dir), wanted, strict=True))
    dead = [server for server, url in pairs if server.url() == url and server.has_died()]
    if dead:
        with locked(data_dir / "servers.lock"):
            for server in dead:
                server.start()
    return [server.name for server in dead]


def _both(data_dir: Path, durable: bool = True) -> tuple[Postgres, Redis]:
    secrets = ensure_secrets(data_dir)
    return Postgres(data_dir, secrets, durable), Redis(data_dir, secrets, durable)
