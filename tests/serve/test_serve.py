import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tests.serve.test_children import is_running, wait_for

READY = re.compile(r"^OpenCoach is ready at http://127\.0\.0\.1:(\d+)/$", re.MULTILINE)


class Serve:
    """`manage.py serve` on a free port, with embedded servers in a state folder of its own."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        hidden = ("DATABASE_URL", "REDIS_URL", "PYTEST_XDIST_WORKER")
        environment = {name: v for name, v in os.environ.items() if name not in hidden}
        self.output = ""
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", *arguments],
            cwd=settings.BASE_DIR,
            env=environment | {"OPENCOACH_DATA": str(data_dir), "PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line

    def __enter__(self) -> "Serve":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def wait_until_ready(self) -> int:
        """The port it says it is ready at."""
        deadline = time.monotonic() + 60
        while not (found := READY.search(self.output)):
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output[-3000:]
            time.sleep(0.05)
        return int(found[1])

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def web(self) -> psutil.Process:
        return next(p for p in self.descendants() if "daphne" in p.cmdline())


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_it_announces_itself_outlives_its_children_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        port = serve.wait_until_ready()
        wait_for(lambda: "Press Ctrl-C" in serve.output)
        for person in ("admin@example.com", "coach@example.com", "client@example.com"):
            assert person in serve.output
        started = {process.pid for process in serve.descendants()}

        web = serve.web()
        web.kill()
        wait_for(lambda: not is_running(web.pid))
        noted = re.compile(r"web \d ended with status -9; starting it again in 1 s")
        wait_for(lambda: bool(noted.search(serve.output)), seconds=20)
        wait_for(lambda: answers(port), seconds=20)

        started |= {process.pid for process in serve.descendants()}
        serve.process.terminate()
        assert serve.process.wait(20) == 0
        assert [pid for pid in started if is_running(pid)] == []


@pytest.fixture
def state_to_clean(tmp_path: Path) -> Iterator[Path]:
    """A state folder whose servers outlive their starter: the next to use them stops them."""
    yield tmp_path
    bare = {"OPENCOACH_DATA": str(tmp_path), "DATABASE_URL": "", "REDIS_URL": ""}
    command = [sys.executable, "-m", "opencoach.embedded", "true"]
    subprocess.run(command, env=os.environ | bare, check=True)


def test_two_web_processes_share_one_port_and_die_with_a_killed_supervisor(
    state_to_clean: Path,
) -> None:
    with Serve(state_to_clean, "--web-processes", "2", "--no-worker") as serve:
        port = serve.wait_until_ready()
        webs = [p.pid for p in serve.descendants() if "daphne" in p.cmdline()]
        assert len(webs) == 2
        assert answers(port)
        serve.process.kill()
        wait_for(lambda: not any(is_running(pid) for pid in webs))


def test_a_port_in_use_is_said_so() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as busy,
        pytest.raises(CommandError, match=r"Port \d+ is in use"),
    ):
        call_command("serve", port=busy.getsockname()[1])
