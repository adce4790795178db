"""Every few seconds each web process looks for turns whose process died, and runs them itself.

So recovery needs nothing but a web process: no worker, no queue that others may fill.
"""

import asyncio

import structlog
from django.conf import settings

from conversations.home import adopt_running_loop
from conversations.live.frames import event_frame, message_frame
from conversations.turns.accept import TurnKey
from conversations.turns.commit import Failed
from conversations.turns.engine import announce, start
from conversations.turns.sweep import expired_turns, reclaim
from opencoach.common.hops import database_hop

log = structlog.get_logger(__name__)

_sweeping: asyncio.Task[None] | None = None


def serve_turns() -> None:
    """Makes the running loop the home of this process's turns, and keeps sweeping on it."""
    global _sweeping
    adopt_running_loop()
    if _sweeping is None or _sweeping.done():
        _sweeping = asyncio.create_task(_sweep_for_ever())


async def _sweep_for_ever() -> None:
    while True:
        await asyncio.sleep(settings.TURN_SWEEP_SECONDS)
        try:
            await sweep()
        except Exception as error:  # noqa: BLE001 - the database may be away; the next sweep asks again
            log.warning("turn.sweep_failed", error=repr(error))


async def sweep() -> int:
    """Takes over what has expired and starts it here, without waiting for it; returns how many."""
    expired = await database_hop(expired_turns)
    claims = await asyncio.gather(
        *(database_hop(reclaim, *ids) for ids in expired), return_exceptions=True
    )
    for claim in claims:
        if isinstance(claim, TurnKey):
            start(claim)
        elif isinstance(claim, Failed):
            announce(claim.message.workspace_id, event_frame(claim.event))
            announce(claim.message.workspace_id, message_frame(claim.message))
        elif isinstance(claim, BaseException):  # one turn's trouble is not the others'
            log.error("turn.not_reclaimed", error=repr(claim))
    return len(expired)
