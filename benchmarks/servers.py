"""What the systems under test stand on: PostgreSQL and Redis as in production, and the models.

PostgreSQL is the embedded server with its durable settings (fsync on, full page writes on), in a
state folder of the benchmark's own. Each system gets a fresh database.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
import psycopg
import redis

from opencoach.embedded import ensure_secrets
from opencoach.embedded.servers import servers
from tests.model_server import ModelServer

FIRST_TOKEN_MS = 100
TOKENS = 60
TOKENS_A_SECOND = 100


@dataclass(frozen=True, slots=True)
class Written:
    """What PostgreSQL has written since it began; two of these make a difference."""

    rows: int
    wal_bytes: int
    full_pages: int
    """Whole pages in the WAL, which the first change after a checkpoint costs."""

    def __sub__(self, earlier: "Written") -> "Written":
        return Written(
            self.rows - earlier.rows,
            self.wal_bytes - earlier.wal_bytes,
            self.full_pages - earlier.full_pages,
        )


@dataclass(frozen=True)
class Machine:
    folder: Path
    models: ModelServer
    database_url: str
    redis_url: str

    @property
    def postgres_pid(self) -> int:
        return int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])

    @property
    def redis_pid(self) -> int:
        return int((self.folder / "redis" / "redis.pid").read_text())

    @contextmanager
    def fresh_database(self, name: str) -> Iterator[str]:
        """Its URL; made for the application's role, and dropped afterwards.

        Left there, it would be vacuumed while the next system is measured.
        """
        drop = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode()
        with self.superuser("postgres") as connection:
            connection.execute(drop)
            connection.execute(f"CREATE DATABASE {name} OWNER opencoach".encode())
        try:
            yield urlsplit(self.database_url)._replace(path=f"/{name}").geturl()
        finally:
            with self.superuser("postgres") as connection:
                connection.execute(drop)

    def empty_redis(self) -> None:
        with redis.Redis.from_url(self.redis_url) as connection:
            connection.flushall()

    def superuser(self, database: str) -> "psycopg.Connection":
        """Not bound by row-level security: to look on, never to serve."""
        password = ensure_secrets(self.folder).postgres_superuser_password
        address = urlsplit(self.database_url)
        return psycopg.connect(
            f"postgresql://postgres:{quote(password)}@{address.hostname}:{address.port}/{database}",
            autocommit=True,
        )

    def written(self, database: str) -> Written:
        """Exact for the WAL; rows only after `wait_for_row_counts`."""
        with self.superuser(database) as connection:
            rows = connection.execute(
                "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint"
                " FROM pg_stat_user_tables"
            ).fetchone()
            wal = connection.execute(
                "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, wal_fpi FROM pg_stat_wal"
            ).fetchone()
        assert rows and wal
        return Written(rows[0], wal[0], wal[1])

    @staticmethod
    def wait_for_row_counts() -> None:
        """An idle backend reports its row counts after ten seconds, and not before."""
        time.sleep(11)

    def checkpoint(self) -> None:
        """Now, so that none falls into a measured window; the warm-up then pays its full pages."""
        with self.superuser("postgres") as connection:
            connection.execute("CHECKPOINT")

    @contextmanager
    def statement_log(self, database: str) -> Iterator["StatementLog"]:
        """Every statement that clients of this database send within the block."""
        log = StatementLog(self.folder / "postgres.log", database)
        self._log_statements("all")
        try:
            log.begin()
            yield log
            log.end()
        finally:
            self._log_statements("none")

    def _log_statements(self, which: str) -> None:
        with self.superuser("postgres") as connection:
            connection.execute(f"ALTER SYSTEM SET log_statement = '{which}'".encode())
            connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.5)  # idle backends read the new configuration before their next statement


@dataclass
class StatementLog:
    """Counts from the server's own log, since `pg_stat_statements` is not in the package."""

    path: Path
    database: str
    statements: tuple[str, ...] = ()
    _start: int = 0

    def begin(self) -> None:
        self._start = self.path.stat().st_size

    def end(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._start)
            text = file.read().decode(errors="replace")
        # `%m [%p] %q%d ` and then `LOG:  execute <name>: …` or `LOG:  statement: …`
        pattern = rf"\] {self.database} LOG:  (?:execute [^:]*|statement): (.*)"
        self.statements = tuple(re.findall(pattern, text))

    @property
    def queries(self) -> int:
        """Without BEGIN, COMMIT and the like."""
        return sum(not _is_control(statement) for statement in self.statements)


def _is_control(statement: str) -> bool:
    first = statement.split(None, 1)[0].upper().rstrip(";") if statement.strip() else ""
    return first in {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    with servers(folder) as urls, ModelServer() as models:
        assert urls.database_url and urls.redis_url
        models.default(tokens=TOKENS, tps=TOKENS_A_SECOND, first_token_ms=FIRST_TOKEN_MS)
        yield Machine(folder.resolve(), models, urls.database_url, urls.redis_url)


def plain_environment() -> dict[str, str]:
    """Nothing of the caller's settings and keys reaches a system under test."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in kept if name in os.environ}


def description() -> str:
    memory_gb = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {memory_gb:.0f} GB"
