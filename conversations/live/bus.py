"""Frames from whoever makes them to whoever watches, in this process and in others.

Watchers of this process are called directly; Redis pub/sub carries frames to other processes, and
tells with each delivery how many of them listen. So a token that nobody else watches is never
sent. Redis may go away: local delivery goes on, and when it is back every watcher is told to read
from the database what it may have missed.

All methods run on the home loop.
"""

import asyncio
import json
import socket
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import redis.asyncio as redis
import structlog
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from conversations.live.frames import Frame

log = structlog.get_logger(__name__)

RESUMED: Frame = {"type": "bus.resumed"}
"""Given to every watcher when Redis is back: frames may have been lost meanwhile."""

Watcher = Callable[[Frame], None]


def conversation_topic(conversation_id: Any) -> str:
    return f"conversation:{conversation_id}"


def inbox_topic(workspace_id: Any) -> str:
    return f"inbox:{workspace_id}"


CONTROL = "control"
"""Heard by every process that runs turns: a takeover, a newer message, somebody who came late."""


MOST_OUTGOING = 10_000
# Seconds of silence before the first probe, between two, and how many before it is over.
_KEEPALIVE = {
    getattr(socket, name): value
    for name, value in {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}.items()
    if hasattr(socket, name)
}


def _channel(topic: str) -> str:
    """Redis has one name space for all its databases; ours is named after the database."""
    return f"opencoach:{settings.DATABASES['default']['NAME']}:{topic}"


class Bus:
    def __init__(self) -> None:
        self._process = uuid4().hex
        self._watchers: dict[str, set[Watcher]] = defaultdict(set)
        self._elsewhere: dict[str, int] = {}
        # No silent retry: after a lost connection the watchers must be told to catch up.
        once = Retry(NoBackoff(), 0)
        self._redis = redis.from_url(settings.REDIS_URL, socket_timeout=2, retry=once)
        # No socket time-out, which would end a subscription that is merely quiet; the kernel finds
        # out in ten seconds that the other side is gone.
        self._listening = redis.from_url(
            settings.REDIS_URL,
            socket_timeout=None,
            socket_keepalive=True,
            socket_keepalive_options=_KEEPALIVE,
            retry=once,
        )
        self._pubsub = self._listening.pubsub(ignore_subscribe_messages=True)
        self._outgoing: list[tuple[str, str]] = []
        self._wake = asyncio.Event()
        self._subscriptions = asyncio.Lock()
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._listen())]

    # --- watching -----------------------------------------------------------------------------

    async def watch(self, topic: str, watcher: Watcher) -> None:
        """From its return on, `watcher` misses nothing that is published on the topic."""
        first = not self._watchers[topic]
        self._watchers[topic].add(watcher)
        if first:
            async with self._subscriptions:
                with suppress(RedisError, OSError):  # the listener subscribes when Redis is back
                    await self._pubsub.subscribe(_channel(topic))
        # Whoever streams a reply here sends what it has so far.
        self.publish([CONTROL], {"type": "control.watched", "topic": topic})

    async def unwatch(self, topic: str, watcher: Watcher) -> None:
        watchers = self._watchers.get(topic, set())
        watchers.discard(watcher)
        if not watchers and self._watchers.pop(topic, None) is not None:
            async with self._subscriptions:
                if topic not in self._watchers:
                    with suppress(RedisError, OSError):
                        await self._pubsub.unsubscribe(_channel(topic))

    # --- publishing ---------------------------------------------------------------------------

    def publish(self, topics: Sequence[str], frame: Frame) -> None:
        """To everyone: what is stored, and what must be heard."""
        for topic in topics:
            self._deliver(topic, frame)
        self._send_later(topics, frame)

    def publish_passing(self, topic: str, frame: Frame) -> None:
        """To this process, and to others if one is known to watch: deltas."""
        self._deliver(topic, frame)
        if self._elsewhere.get(topic):
            self._send_later([topic], frame)

    def expect_watcher(self, topic: str) -> None:
        """Somebody elsewhere said that they watch from now on."""
        self._elsewhere[topic] = 1

    def forget(self, topic: str) -> None:
        """The stream on this topic is over: who watches it is asked anew with the next one."""
        self._elsewhere.pop(topic, None)

    def _deliver(self, topic: str, frame: Frame) -> None:
        for watcher in tuple(self._watchers.get(topic, ())):
            watcher(frame)

    def _send_later(self, topics: Sequence[str], frame: Frame) -> None:
        if len(self._outgoing) > MOST_OUTGOING:  # Redis hangs; watchers elsewhere read the log
            self._outgoing.clear()
        encoded = json.dumps([self._process, frame])
        self._outgoing.extend((topic, encoded) for topic in topics)
        self._wake.set()

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._outgoing = self._outgoing, []
            try:
                await self._send_batch(batch)
            except (RedisError, OSError) as error:
                log.warning("bus.send_failed", error=repr(error), frames=len(batch))

    async def _send_batch(self, batch: list[tuple[str, str]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for topic, encoded in batch:
            pipeline.publish(_channel(topic), encoded)
        for (topic, _), heard in zip(batch, await pipeline.execute(), strict=True):
            others = heard - (1 if topic in self._watchers else 0)
            if others > 0:
                self._elsewhere[topic] = others
            else:
                self._elsewhere.pop(topic, None)

    # --- listening ----------------------------------------------------------------------------

    async def _listen(self) -> None:
        lost = True
        while True:
            try:
                if lost:
                    await self._resume()
                    lost = False
                message = await self._pubsub.get_message(timeout=None)
                if message and message["type"] == "message":
                    self._receive(message)
            except Exception as error:  # noqa: BLE001 - whatever it was, a deaf process is worse
                log.warning("bus.connection_lost", error=repr(error))
                lost = True
                await asyncio.sleep(0.25)

    async def _resume(self) -> None:
        """Subscribes anew, to everything; raises while Redis is still away."""
        async with self._subscriptions:
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]
            self._pubsub = self._listening.pubsub(ignore_subscribe_messages=True)
            await self._pubsub.subscribe(*map(_channel, {CONTROL, *self._watchers}))
        for watchers in tuple(self._watchers.values()):
            for watcher in tuple(watchers):
                watcher(RESUMED)

    def _receive(self, message: dict[str, Any]) -> None:
        process, frame = json.loads(message["data"])
        if process != self._process:
            self._deliver(message["channel"].decode().removeprefix(_channel("")), frame)

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        await self._redis.aclose()
        await self._listening.aclose()


_buses: dict[asyncio.AbstractEventLoop, Bus] = {}


def bus() -> Bus:
    """The bus of the running loop, which is the home loop."""
    loop = asyncio.get_running_loop()
    if loop not in _buses:
        for closed in [other for other in _buses if other.is_closed()]:
            del _buses[closed]
        _buses[loop] = Bus()
    return _buses[loop]
