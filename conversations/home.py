"""The event loop of this process on which turns run and sockets are written.

In the web process it is the server's own loop, adopted at the first request; elsewhere (a Celery
worker, a command, a test) a thread is started for it. There is one for the life of the process,
so connection pools to providers and Redis live as long and are never built per call.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def adopt_running_loop() -> None:
    """Makes the caller's loop the home loop, if there is none alive yet."""
    global _loop
    if _loop is None or _loop.is_closed():
        with _lock:
            if _loop is None or _loop.is_closed():
                _loop = asyncio.get_running_loop()


def home_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="home-loop", daemon=True).start()
        return _loop


def call_home(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` on the home loop from sync code, in the caller's context, and waits for it."""
    return asyncio.run_coroutine_threadsafe(work, home_loop()).result()


async def at_home(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` on the home loop from any loop."""
    loop = home_loop()
    if asyncio.get_running_loop() is loop:
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
