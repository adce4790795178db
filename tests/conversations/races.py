"""Takeovers raced against replies in flight: for the suite, and larger for the benchmark."""

import asyncio
import random
import statistics
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from conversations import takeover
from conversations.home import call_home
from conversations.live.view import LiveView
from conversations.models import Conversation, ConversationEvent, Message, Source, Turn, TurnStatus
from conversations.services import start_conversation
from conversations.turns.engine import handle_message
from conversations.turns.runs import runs
from opencoach.accounts.access import Caller, caller_from_user
from opencoach.common.hops import database_hop
from opencoach.common.rls import workspace_scope


@dataclass
class RaceResult:
    races: int = 0
    discarded: int = 0
    answered: int = 0
    ai_messages_after_takeover: int = 0
    deltas_after_takeover: int = 0


def race_takeovers(cast: Any, *, races: int, together: int, seed: int) -> RaceResult:
    """Each race: a client writes, a coach takes over at a random instant, all is counted.

    The instants lie between nothing and one and a half times what a reply takes here and now.
    """
    with workspace_scope(cast.workspace.id):
        caller = caller_from_user(cast.alice.user)
        assert caller
        return call_home(_all_races(cast, caller, races, together, random.Random(seed)))


async def _all_races(
    cast: Any, caller: Caller, races: int, together: int, chance: random.Random
) -> RaceResult:
    took_s = [await _time_replies(cast.dana.client, together) for _ in range(3)]
    longest_s = 1.5 * min(took_s)
    result = RaceResult()
    free = asyncio.Semaphore(together)

    async def race(delay_s: float) -> None:
        async with free:
            await _race(cast.dana.client, caller, delay_s, result)

    await asyncio.gather(*(race(chance.uniform(0, longest_s)) for _ in range(races)))
    return result


async def _time_replies(client: Any, together: int) -> float:
    """Seconds until the middle one of `together` replies is there."""

    async def reply() -> float:
        conversation = await database_hop(start_conversation, client=client)
        started = time.perf_counter()
        await _say(conversation)
        if run := runs().of(conversation.id):
            await asyncio.wait([run.task])
        return time.perf_counter() - started

    return statistics.median(await asyncio.gather(*(reply() for _ in range(together))))


async def _say(conversation: Conversation) -> None:
    await handle_message(
        conversation_id=conversation.id,
        content="Tell me everything you know.",
        client_message_id=str(uuid4()),
        author_name="Dana",
    )


async def _race(client: Any, caller: Caller, delay_s: float, result: RaceResult) -> None:
    conversation = await database_hop(start_conversation, client=client)
    async with LiveView(conversation.id, after=0) as view:
        await _say(conversation)
        await asyncio.sleep(delay_s)
        await takeover.intervene(takeover.take_over, conversation.id, caller)
        if run := runs().of(conversation.id):
            await asyncio.wait([run.task])
        await takeover.intervene(
            takeover.write_as_coach, conversation.id, caller, "I am here.", None
        )
        await _count_frames(view, result)
    await database_hop(_count_rows, conversation, result)


async def _count_frames(view: LiveView, result: RaceResult) -> None:
    """Reads on to the coach's own message, which comes last."""
    taken_over = False
    while True:
        frame = await view.next()
        if frame["type"] == "mode.changed":
            taken_over = True
        elif taken_over and frame["type"] in ("message.delta", "message.completed"):
            result.deltas_after_takeover += 1
        elif taken_over and frame["type"] == "message.created":
            return


def _count_rows(conversation: Conversation, result: RaceResult) -> None:
    takeover_seq = ConversationEvent.objects.get(conversation=conversation).seq
    replies = Message.objects.filter(conversation=conversation, source=Source.AI)
    turn = Turn.objects.get(conversation=conversation)
    result.races += 1
    result.ai_messages_after_takeover += replies.filter(seq__gt=takeover_seq).count()
    result.answered += turn.status == TurnStatus.COMPLETED
    result.discarded += turn.status == TurnStatus.DISCARDED
