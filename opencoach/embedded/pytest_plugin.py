"""Embedded servers for a pytest run, where the environment names none.

The controller starts them before pytest-django reads the settings; xdist's workers
inherit the addresses. Each run takes a state folder of its own from a small pool,
kept for the next run, so that the test databases' names are free in it.
"""

import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from opencoach.embedded.command import complete_environment
from opencoach.embedded.processes import ServerError
from opencoach.embedded.state import PROJECT_ROOT, FileLock, private_folder


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    # A wrapper comes before pytest-django's own hook, which imports the settings.
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ["REDIS_URL"] = _worker_redis_url(os.environ["REDIS_URL"])
    else:
        stack = ExitStack()
        early_config.add_cleanup(stack.close)
        _provide(stack)
    return (yield)


def _worker_redis_url(url: str) -> str:
    """Worker gw0 has Redis database 1, gw1 database 2; the controller keeps 0."""
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) + 1
    return urlsplit(url)._replace(path=f"/{number}").geturl()


def _provide(stack: ExitStack) -> None:
    folder = stack.enter_context(_own_folder())
    os.environ["OPENCOACH_DATA"] = str(folder)  # never the one with somebody's data
    try:
        stack.enter_context(complete_environment(folder, durable=False))
    except ServerError:
        # It is not durable: a power cut may have spoilt it. Nothing in it matters.
        shutil.rmtree(folder)
        stack.enter_context(complete_environment(folder, durable=False))


@contextmanager
def _own_folder() -> Iterator[Path]:
    """The first folder of the pool that no other run has."""
    pool = private_folder(PROJECT_ROOT / ".opencoach" / "test")
    number = 0
    while not (lock := FileLock(pool / f"{number}.lock")).try_take():
        lock.release()
        number += 1
    try:
        yield private_folder(pool / str(number))
    finally:
        lock.release()
