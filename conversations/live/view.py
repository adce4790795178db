"""A conversation as one watcher sees it: every stored frame once and in order, and live deltas.

The bus may deliver a frame late, twice or not at all (another process, Redis restarted). The
sequence has no gaps, so a watcher that sees one reads the missing part from the database.
"""

import asyncio
from contextvars import copy_context
from typing import Any
from uuid import UUID

import structlog

from conversations.live.bus import RESUMED, bus, conversation_topic
from conversations.live.frames import Frame, stored_frames
from opencoach.common.hops import database_hop

log = structlog.get_logger(__name__)

# A watcher this far behind is not reading; it is let go and reconnects with `after=`.
MOST_WAITING = 2_000
# The log is read this far ahead of what the watcher takes.
MOST_AHEAD = 500


class TooSlow(Exception):
    """The watcher does not take its frames."""


class LiveView:
    """`async with LiveView(...) as view`, then `await view.next()` for each frame to send."""

    def __init__(
        self, conversation_id: UUID, *, after: int, epoch: int = 0, reads_deltas: bool = True
    ) -> None:
        """`epoch` is the conversation's own as the caller read it: older replies are not shown."""
        self.conversation_id = conversation_id
        self.seq = after
        self._topic = conversation_topic(conversation_id)
        self._reads_deltas = reads_deltas
        self._ready: asyncio.Queue[Frame] = asyncio.Queue()
        self._newest = after
        self._epoch = epoch
        self._run: tuple[str, int] | None = None
        """The turn whose text is shown, and the epoch of its run: a second run starts again."""
        self._length = 0
        self._index = 0
        self._catching_up: asyncio.Task[None] | None = None
        # Frames arrive in the context of whoever made them; the log is read in the watcher's.
        self._context = copy_context()
        self._too_slow = False
        self._room = asyncio.Event()
        self._held: list[Frame] = []

    async def __aenter__(self) -> "LiveView":
        await bus().watch(self._topic, self._take)
        self._start_catching_up()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await bus().unwatch(self._topic, self._take)
        if self._catching_up:
            self._catching_up.cancel()

    async def next(self) -> Frame:
        """The next frame to send. Raises `TooSlow` when far too many came that nobody took."""
        if self._too_slow:
            raise TooSlow
        frame = await self._ready.get()
        if self._ready.qsize() < MOST_AHEAD:
            self._room.set()
        return frame

    def check(self, newest: int) -> None:
        """Tells the view how long the log is; what it lacks is read."""
        self._newest = max(self._newest, newest)
        if self._newest > self.seq:
            self._start_catching_up()

    # --- frames come in ------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        if self._ready.qsize() + len(self._held) > MOST_WAITING:
            self._too_slow = True
        elif frame is RESUMED:
            self._start_catching_up()
        elif "seq" in frame:
            self._take_stored(frame)
        elif self._catching_up:  # what passes must not overtake what is stored
            self._held.append(frame)
        elif frame["type"] == "message.delta":
            self._take_delta(frame)
        elif frame["type"] == "message.reset":
            self._take_reset(frame)
        else:
            self._ready.put_nowait(frame)

    def _take_stored(self, frame: Frame) -> None:
        self._newest = max(self._newest, frame["seq"])
        if self._catching_up is None and frame["seq"] == self.seq + 1:
            self._pass_on(frame)
        elif frame["seq"] > self.seq:
            self._start_catching_up()

    def _pass_on(self, frame: Frame) -> None:
        self.seq = frame["seq"]
        # From this frame on nothing that the clone began before it may be shown.
        self._epoch = max(self._epoch, frame.get("epoch", 0))
        self._ready.put_nowait(frame)

    def _take_delta(self, frame: Frame) -> None:
        """Passes on what this watcher has not seen of the text; `offset` counts characters."""
        if not self._reads_deltas or frame["epoch"] < self._epoch:
            return
        run = (frame["turn"], frame["epoch"])
        if run != self._run:
            if self._run and self._run[0] == frame["turn"]:
                if frame["epoch"] < self._run[1]:  # a slow first run, which the second has replaced
                    return
                self._void(frame)
            self._run, self._length, self._index = run, 0, 0
        unseen = frame["text"][self._length - frame["offset"] :]
        if frame["offset"] > self._length or not unseen:
            return  # the beginning is still on its way, or this is the beginning again
        self._length += len(unseen)
        self._ready.put_nowait(
            {
                "type": "message.delta",
                "conversation": frame["conversation"],
                "at": frame["at"],
                "turn": frame["turn"],
                "index": self._index,
                "text": unseen,
            }
        )
        self._index += 1

    def _take_reset(self, frame: Frame) -> None:
        if frame["epoch"] >= self._epoch and (frame["turn"], frame["epoch"]) == self._run:
            self._void(frame)

    def _void(self, frame: Frame) -> None:
        """What was shown of the turn is void; its text comes again from the beginning."""
        if self._length:
            self._length = self._index = 0
            self._ready.put_nowait(
                {"type": "message.reset"}
                | {key: frame[key] for key in ("conversation", "turn", "at")}
            )

    # --- what the bus did not bring ------------------------------------------------------------

    def _start_catching_up(self) -> None:
        if self._catching_up is None:
            self._catching_up = asyncio.create_task(self._catch_up(), context=self._context)

    async def _catch_up(self) -> None:
        try:
            while True:
                found = await self._read_on()
                if self._newest <= self.seq:
                    return
                if not found:  # erased meanwhile: there is nothing to wait for
                    self._newest = self.seq
                    return
        except Exception as error:  # noqa: BLE001 - a watcher without its log must go, not wait
            log.warning("view.catch_up_failed", error=repr(error))
            self._ready.put_nowait({"type": "view.lost"})
        finally:
            self._catching_up = None
            held, self._held = self._held, []
            for frame in held:
                self._take(frame)

    async def _read_on(self) -> bool:
        """Passes on what the log has after `seq`; returns whether that was anything."""
        begun = self.seq
        while frames := await database_hop(stored_frames, self.conversation_id, after=self.seq):
            for frame in frames:
                self._pass_on(frame)
            self._newest = max(self._newest, self.seq)
            if self._ready.qsize() >= MOST_AHEAD:
                self._room.clear()
                await self._room.wait()
        return self.seq > begun


def is_answer(frame: Frame, seq: int) -> bool:
    """Whether the frame settles the client message at `seq`: answered, failed, or with a human."""
    kind: Any = frame["type"]
    if kind == "message.completed":
        return bool(frame["message"]["metadata"].get("answers", 0) >= seq)
    if kind == "message.created":
        return bool(frame["message"]["source"] == "human_coach" and frame["seq"] > seq)
    if kind == "turn.failed":
        return bool(frame["answers"] >= seq)
    return bool(kind == "mode.changed" and frame["mode"] != "ai" and frame["seq"] > seq)
