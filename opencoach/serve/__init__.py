"""`manage.py serve`: web, worker and beat under one supervisor.

The supervisor opens the port, brings the database up to date, starts the children
and keeps them alive until it is told to stop.
"""

import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from django.conf import settings

from opencoach.embedded import ServerError, Urls, revive
from opencoach.serve.children import Child, stop_all
from opencoach.serve.database import prepare_database
from opencoach.serve.ready import Readiness

logger = logging.getLogger(__name__)

TICK_S = 0.1
SERVER_CHECK_S = 2.0


@dataclass(frozen=True)
class Options:
    host: str
    port: int
    """0 takes any free one."""
    web_processes: int
    worker_processes: int
    """0 starts neither worker nor beat."""


def serve(options: Options) -> None:
    """Run until SIGINT or SIGTERM. Raises OSError if the port cannot be had."""
    with listen(options.host, options.port) as listener, _shared_metrics():
        prepare_database()
        _allow_many_sockets()
        children = [*web(listener, options.web_processes), *background(options.worker_processes)]
        stop = StopSignals()
        try:
            supervise(children, Readiness(options.host, listener.getsockname()[1]), stop)
        finally:
            stop_all(children, hurry=lambda: stop.count > 1)


def listen(host: str, port: int) -> socket.socket:
    """The one socket that all web processes accept from."""
    listener = socket.create_server((host, port), backlog=1024)
    listener.setblocking(False)
    return listener


def web(listener: socket.socket, processes: int) -> list[Child]:
    fd = listener.fileno()
    command = _python("daphne", "-v", "0", "--fd", str(fd), "opencoach.asgi:application")
    return [Child(f"web {number + 1}", command, pass_fds=(fd,)) for number in range(processes)]


def background(processes: int) -> list[Child]:
    if not processes:
        return []
    schedule = Path(settings.OPENCOACH_DATA) / "celerybeat-schedule"
    command = _python(
        *("celery", "--quiet", "--skip-checks", "-A", "opencoach", "worker"),
        # Beat runs inside: one process and one start less, as there is one worker only.
        *(f"--concurrency={processes}", "--beat", f"--schedule={schedule}"),
        # A lone worker has nobody to gossip with, and finding that out takes it a second.
        *("--without-gossip", "--without-mingle"),
    )
    # SIGQUIT lets it take its own children along; tasks under way are delivered again.
    return [Child("worker", command, orphan_signal=signal.SIGQUIT)]


def supervise(children: Sequence[Child], readiness: Readiness, stop: "StopSignals") -> None:
    """Keep everything alive; say so when it first answers. Returns when told to stop."""
    in_use = Urls(os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL"))
    next_check = time.monotonic() + SERVER_CHECK_S
    while not stop.count:
        for child in children:
            child.keep_alive()
        readiness.announce_once()
        if time.monotonic() > next_check:
            _revive_servers(in_use)
            next_check = time.monotonic() + SERVER_CHECK_S
        time.sleep(TICK_S)


def _revive_servers(in_use: Urls) -> None:
    """Embedded servers are ours to keep alive as well."""
    try:
        names = revive(Path(settings.OPENCOACH_DATA), in_use)
    except ServerError:
        logger.exception("an embedded server died and does not start again; trying on")
        return
    for name in names:
        logger.warning("%s had died; started it again", name)


class StopSignals:
    """Counts requests to stop; the second one means now."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder where all children leave their numbers, so that `/metrics` tells them all."""
    with TemporaryDirectory(prefix="opencoach-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _allow_many_sockets() -> None:
    """A shell's usual limit of 1024 open files is fewer than one process can serve."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
