import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from opencoach.embedded import Urls, ensure_secrets, revive, servers, urls
from opencoach.embedded.postgres import Postgres
from opencoach.embedded.redis import Redis
from opencoach.embedded.server import Server

HOLDER = """
import sys
from pathlib import Path
from opencoach.embedded import servers
with servers(Path(sys.argv[1])) as urls:
    print(urls.database_url, urls.redis_url, flush=True)
    sys.stdin.read()
"""


def both(data_dir: Path) -> list[Server]:
    secrets = ensure_secrets(data_dir)
    return [Postgres(data_dir, secrets), Redis(data_dir, secrets)]


def pids(data_dir: Path) -> list[int | None]:
    return [process.pid if (process := s.process()) else None for s in both(data_dir)]


def kill_servers(data_dir: Path) -> None:
    for pid in pids(data_dir):
        assert pid
        os.kill(pid, signal.SIGKILL)
    while pids(data_dir) != [None, None]:
        time.sleep(0.01)


@contextmanager
def holder(data_dir: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the servers until its stdin is closed."""
    command = [sys.executable, "-c", HOLDER, str(data_dir)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def read_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def query(url: str | None, sql: str) -> tuple[object, ...] | None:
    assert url
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchone() if cursor.description else None


def cache(url: str | None) -> "redis.Redis":
    assert url
    return redis.Redis.from_url(url)


def test_the_applications_role_is_bound_by_row_level_security(running: Urls) -> None:
    sql = "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    assert query(running.database_url, sql) == (False, False)


def test_the_applications_role_owns_its_database(running: Urls) -> None:
    sql = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"
    assert query(running.database_url, sql) == ("opencoach",)


def test_a_database_made_by_the_role_has_vectors(running: Urls) -> None:
    query(running.database_url, "CREATE DATABASE made_by_role")
    try:
        url = f"{running.database_url}".removesuffix("opencoach") + "made_by_role"
        assert query(url, "SELECT '[3,4]'::vector <-> '[0,0]'") == (5.0,)
    finally:
        query(running.database_url, "DROP DATABASE made_by_role")


def test_a_state_path_longer_than_any_sockets_works(data_dir: Path, running: Urls) -> None:
    assert len(str(data_dir)) > 107
    assert urls(data_dir) == running


def test_the_servers_listen_on_loopback_only(data_dir: Path, running: Urls) -> None:
    for server in both(data_dir):
        process = server.process()
        assert process
        listening = {c.laddr.ip for c in process.net_connections() if c.status == "LISTEN"}
        assert listening == {"127.0.0.1"}


def test_the_servers_want_their_passwords(running: Urls) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        query(f"{running.database_url}".replace("@", "x@"), "SELECT 1")
    with pytest.raises(redis.AuthenticationError):
        cache(f"{running.redis_url}".replace("@", "x@")).ping()


def test_a_second_start_keeps_data_and_addresses(data_dir: Path) -> None:
    with servers(data_dir) as first:
        query(first.database_url, "CREATE TABLE stopped AS SELECT 42 AS answer")
        cache(first.redis_url).set("kept", "43")
    assert urls(data_dir) is None
    with servers(data_dir) as second:
        assert second == first
        assert query(second.database_url, "SELECT answer FROM stopped") == (42,)
        assert cache(second.redis_url).get("kept") == b"43"


def test_servers_killed_outright_start_again_with_their_data(data_dir: Path) -> None:
    with servers(data_dir) as first:
        query(first.database_url, "CREATE TABLE killed AS SELECT 42 AS answer")
        kill_servers(data_dir)
        assert urls(data_dir) is None
    with servers(data_dir) as second:
        assert query(second.database_url, "SELECT answer FROM killed") == (42,)


def test_servers_that_died_in_use_are_revived_at_the_same_address(
    data_dir: Path, running: Urls
) -> None:
    assert revive(data_dir, running) == []
    kill_servers(data_dir)
    assert revive(data_dir, running) == ["postgres", "redis"]
    assert urls(data_dir) == running


def test_a_pid_that_belongs_to_another_process_now_is_no_obstacle(data_dir: Path) -> None:
    with servers(data_dir):
        pass
    for server in both(data_dir):
        server.pid_file.write_text(f"{os.getpid()}\n")
    assert urls(data_dir) is None
    with servers(data_dir) as found:
        assert urls(data_dir) == found


def test_an_interrupted_first_start_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18")
    with servers(tmp_path, redis=False, durable=False) as found:
        assert found.redis_url is None
        assert query(found.database_url, "SELECT 1") == (1,)


def test_two_starters_share_one_server_and_the_last_stops_it(data_dir: Path) -> None:
    with holder(data_dir) as first, holder(data_dir) as second:
        assert read_line(first) == read_line(second)
        shared = pids(data_dir)
        first.communicate()
        assert pids(data_dir) == shared
        second.communicate()
    assert pids(data_dir) == [None, None]


def test_servers_left_by_a_killed_process_are_taken_over_and_stopped(data_dir: Path) -> None:
    with holder(data_dir) as process:
        read_line(process)
        left = pids(data_dir)
        process.kill()
    with servers(data_dir):
        assert pids(data_dir) == left
    assert pids(data_dir) == [None, None]
