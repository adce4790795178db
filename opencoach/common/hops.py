"""Database work from async code, on threads of its own.

`sync_to_async` runs everything on one thread by default. Here a process has a small pool whose
threads keep their connection, so a hop costs a thread switch and nothing else; a turn makes three.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from threading import Barrier
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import connection

P = ParamSpec("P")
T = TypeVar("T")


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.DATABASE_HOP_THREADS, thread_name_prefix="database")


def _call(work: Callable[[], T]) -> T:
    try:
        return work()
    except Exception:
        # A connection that the error left broken is closed here, so that the next hop on this
        # thread opens a new one; Django does the same between two requests.
        connection.close_if_unusable_or_obsolete()
        raise


async def database_hop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `function` on a database thread, in the caller's context (scope, trace id)."""
    work = partial(copy_context().run, partial(function, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(_threads(), _call, work)


def close_hop_connections() -> None:
    """Ends the threads and so their connections; the next hop starts new ones."""
    threads = _threads()
    _threads.cache_clear()
    together = Barrier(settings.DATABASE_HOP_THREADS)

    def close() -> None:
        connection.close()
        together.wait()  # so that each thread takes exactly one of these

    for _ in range(settings.DATABASE_HOP_THREADS):
        threads.submit(close)
    threads.shutdown(wait=True)
