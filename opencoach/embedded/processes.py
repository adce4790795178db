"""Server processes: start one that outlives us, find it again, stop it for certain."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import psutil  # type: ignore[import-untyped]  # ships no types

from opencoach.embedded.account import Account

Process: TypeAlias = psutil.Process

LOOPBACK = "127.0.0.1"
LOG_LIMIT = 10_000_000
READY_TIMEOUT_S = 300  # replaying a gigabyte of log after a power cut takes a while


class ServerError(Exception):
    """An embedded server did not start; the message ends with its log's last lines."""


def package_folder(name: str) -> Path:
    """Where a package is installed, found without importing it: some do much on import."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ServerError(f"The package {name} is not installed.")
    return Path(spec.origin).resolve().parent


def spawn(
    command: Sequence[str], folder: Path, log: Path, account: Account | None = None
) -> Process:
    """Start a server in its own session, so that a Ctrl-C meant for us passes it by."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.old"))
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603  (the command is ours)
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=server_environment(),
            **(account.as_subprocess_arguments() if account else {}),
        )
    # It is meant to outlive this object: no ResourceWarning, please.
    child.returncode = 0
    return psutil.Process(child.pid)


def server_environment() -> dict[str, str]:
    """Servers get none of our secrets, and speak the same language everywhere."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def process_of(pid_file: Path, name: str, folder: Path) -> Process | None:
    """The live server a pid file speaks of; None if it died or another has its pid now."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process if _is_server(process, name, {str(folder)}) else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def kill_stragglers(name: str, folder: Path) -> None:
    """End what a killed server left behind in its folder, or in a deleted one of its name."""
    places = {str(folder), f"{folder} (deleted)"}
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            if process.info["name"] == name and _is_server(process, name, places):
                process.kill()
                process.wait(10)


def _is_server(process: Process, name: str, places: set[str]) -> bool:
    return _is_alive(process) and process.name() == name and process.cwd() in places


def stop_process(process: Process, *signals: tuple[signal.Signals, int]) -> None:
    """Send each (signal, seconds to wait) until it ends; SIGKILL is the last."""
    for number, seconds in (*signals, (signal.SIGKILL, 10)):
        try:
            process.send_signal(number)
            process.wait(seconds)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            pass
        return


def free_port(preferred: int | None) -> int:
    """A free TCP port on loopback: the preferred one if it can be had."""
    for port in (preferred or 0, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    raise ServerError(f"No free port on {LOOPBACK}.")


def wait_until(ready: Callable[[], bool], process: Process, log: Path) -> None:
    """Return once `ready()`; ServerError if the process ends first or takes too long."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not ready():
        if not _is_alive(process) or time.monotonic() > deadline:
            raise ServerError(f"A server did not start. {log} ends:\n{_tail(log)}")
        time.sleep(0.02)


def _is_alive(process: Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _tail(log: Path, lines: int = 12) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return str(error)
