"""The turns that run in this process: started, interrupted, leased. Lives on the home loop."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils.timezone import now

from conversations.live.bus import CONTROL, bus, conversation_topic
from conversations.live.frames import Frame
from conversations.models import Turn, TurnStatus
from conversations.turns.accept import TurnKey
from conversations.turns.reply import ReplyInProgress
from opencoach.common.hops import database_hop
from opencoach.common.rls import every_workspace

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Run:
    """One run of one turn."""

    class Merged(Exception):
        """The client wrote on before the reply was visible: one reply answers both."""

    def __init__(self, turn: TurnKey) -> None:
        self.turn = turn
        self.reply = ReplyInProgress(turn)
        self.task: asyncio.Task[None]
        self._generation: asyncio.Task[Any] | None = None
        self._merging = False

    async def interruptible(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs the generation so that `merge` can end it and nothing else. Raises `Merged`."""
        self._generation = generation = asyncio.create_task(work)
        if self._merging:  # while the context was read
            self._generation.cancel()
        try:
            return await generation
        except asyncio.CancelledError:
            if not self._merging:
                raise
            self._merging = False
            raise self.Merged from None
        finally:
            if not self._generation.done():  # the run itself was cancelled
                self._generation.cancel()
                with suppress(asyncio.CancelledError):
                    await self._generation
            self._generation = None

    def merge(self) -> None:
        """Takes a newer message into this turn, as long as nothing of the reply was seen."""
        if self.reply.visible:
            return
        self._merging = True
        if self._generation:
            self._generation.cancel()

    def cancel(self) -> None:
        self._merging = False
        self.reply.close()
        self.task.cancel()


class Runs:
    def __init__(self) -> None:
        self._runs: dict[UUID, Run] = {}
        self._heart: asyncio.Task[None] | None = None

    def of(self, conversation_id: UUID) -> Run | None:
        return self._runs.get(conversation_id)

    def start(self, turn: TurnKey, work: Callable[[Run], Awaitable[None]]) -> Run:
        run = Run(turn)
        self._runs[turn.conversation_id] = run
        if turn.attempt > 1:  # nobody was told of a message just now, so nobody said they watch
            bus().expect_watcher(conversation_topic(turn.conversation_id))
        run.task = asyncio.create_task(self._run(run, work))
        if self._heart is None or self._heart.done():
            self._heart = asyncio.create_task(self._beat())
        return run

    async def _run(self, run: Run, work: Callable[[Run], Awaitable[None]]) -> None:
        try:
            await work(run)
        except asyncio.CancelledError:
            log.info("turn.cancelled", turn=str(run.turn.id))
        except Exception:
            # The row stays `running`; when its lease is over, the sweeper runs it again.
            log.exception("turn.crashed", turn=str(run.turn.id))
        finally:
            run.reply.close()
            if self._runs.get(run.turn.conversation_id) is run:
                del self._runs[run.turn.conversation_id]
            bus().forget(conversation_topic(run.turn.conversation_id))

    # --- what happens elsewhere and concerns a run here -----------------------------------------

    async def listen(self) -> None:
        await bus().watch(CONTROL, self._hear)

    def client_wrote_on(self, conversation_id: UUID) -> None:
        """Whichever process runs the turn takes the newer message in."""
        bus().publish([CONTROL], {"type": "control.wrote_on", "conversation": str(conversation_id)})

    def stop_below(self, conversation_id: UUID, epoch: int) -> None:
        """A human stepped in at `epoch`: older runs end now, wherever they are."""
        bus().publish(
            [CONTROL],
            {"type": "control.stop", "conversation": str(conversation_id), "epoch": epoch},
        )

    def _hear(self, frame: Frame) -> None:
        if frame["type"] == "control.watched":
            self._show_again(frame["topic"])
            return
        run = self._runs.get(UUID(frame["conversation"])) if "conversation" in frame else None
        if run and frame["type"] == "control.wrote_on":
            run.merge()
        elif run and frame["type"] == "control.stop" and run.turn.epoch < frame["epoch"]:
            run.cancel()

    def _show_again(self, topic: str) -> None:
        kind, _, name = topic.partition(":")
        run = self._runs.get(UUID(name)) if kind == "conversation" else None
        if run:
            bus().expect_watcher(topic)
            run.reply.show_again()

    # --- the lease ------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Renews all leases of this process in one statement, three times a lease."""
        while self._runs:
            await asyncio.sleep(settings.TURN_LEASE_SECONDS / 3)
            held = {run.turn.id: run for run in self._runs.values()}
            if not held:
                return
            try:
                lost = await database_hop(renew_leases, list(held.values()))
            except (OperationalError, InterfaceError) as error:
                log.warning("turn.lease_not_renewed", error=repr(error))
                continue
            for turn_id in lost:
                held[turn_id].cancel()


def renew_leases(held: list[Run]) -> list[UUID]:
    """Returns the turns that are ours no more: discarded, or run again elsewhere."""
    epochs = {run.turn.id: run.turn.epoch for run in held}
    with every_workspace("one statement renews the leases of all turns of this process"):
        turns = Turn.objects.filter(id__in=epochs).exclude(status=TurnStatus.COMPLETED)
        rows = list(turns.values_list("id", "epoch", "status"))
        ours = [
            turn_id
            for turn_id, epoch, status in rows
            if (epoch, status) == (epochs[turn_id], TurnStatus.RUNNING)
        ]
        Turn.objects.filter(id__in=ours, status=TurnStatus.RUNNING).update(
            lease_until=now() + timedelta(seconds=settings.TURN_LEASE_SECONDS)
        )
    return [turn_id for turn_id, *_ in rows if turn_id not in ours]


_runs: dict[asyncio.AbstractEventLoop, Runs] = {}


def runs() -> Runs:
    """The runs of the running loop, which is the home loop."""
    loop = asyncio.get_running_loop()
    if loop not in _runs:
        for closed in [other for other in _runs if other.is_closed()]:
            del _runs[closed]
        _runs[loop] = Runs()
        listening = loop.create_task(_runs[loop].listen())
        _listening.add(listening)
        listening.add_done_callback(_listening.discard)
    return _runs[loop]


_listening: set[asyncio.Task[None]] = set()
