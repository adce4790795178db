import asyncio
from uuid import UUID

from celery import shared_task

from conversations.home import call_home
from conversations.live.frames import event_frame, message_frame
from conversations.turns.accept import TurnKey
from conversations.turns.commit import Failed
from conversations.turns.engine import announce, start
from conversations.turns.sweep import expired_turns, reclaim
from opencoach.common.hops import database_hop


@shared_task(name="conversations.tasks.sweep_turns")
def sweep_turns() -> int:
    """Runs the turns again whose process died; returns how many."""
    expired = expired_turns()
    if expired:
        call_home(_run_all(expired))
    return len(expired)


async def _run_all(expired: list[tuple[UUID, UUID]]) -> None:
    claims = await asyncio.gather(*(database_hop(reclaim, *ids) for ids in expired))
    for failed in [claim for claim in claims if isinstance(claim, Failed)]:
        announce(failed.message.workspace_id, event_frame(failed.event))
        announce(failed.message.workspace_id, message_frame(failed.message))
    runs = [start(claim) for claim in claims if isinstance(claim, TurnKey)]
    await asyncio.gather(*(run.task for run in runs))
