"""The way of one message, in the order in which it goes.

    accept    dedupe by client_message_id; store message and turn (one statement)
    context   history, cited passages, the prompt, the models to ask
    generate  one stream through the door, shown to whoever watches
    commit    fenced by the epoch under the row lock: reply, turn and ledger, or nothing
    after     tell the watchers; run the next turn if the client wrote on

Every way in (REST, SSE, WebSocket, command) calls `handle_message`.
"""

import asyncio
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError

from conversations.home import at_home
from conversations.live.bus import bus, conversation_topic, inbox_topic
from conversations.live.frames import Frame, event_frame, message_frame
from conversations.turns.accept import Accepted, TurnKey, accept
from conversations.turns.commit import Committed, commit_reply, fail_turn
from conversations.turns.context import read_context
from conversations.turns.generate import Generated, generate
from conversations.turns.runs import Run, runs
from opencoach.ai.calls import AllModelsFailed, write_entries
from opencoach.common.hops import database_hop
from opencoach.common.rls import enter_workspace
from opencoach.common.tracing import bind_trace_id

log = structlog.get_logger(__name__)

COMMIT_TRIES = 4


async def handle_message(
    *, conversation_id: UUID, content: str, client_message_id: str | None, author_name: str
) -> Accepted:
    """Accepts what a client wrote and sees to its answer; returns as soon as it is stored.

    The caller has named the workspace and checked that this client may write here. The turn runs
    on the home loop and outlives the request. Raises `Missing`, `WrongMode`, `Invalid`.
    """
    taking = _take(conversation_id, content, client_message_id, author_name)
    # Whoever asked may be gone in the middle of it; what is stored is also announced and answered.
    return await asyncio.shield(asyncio.create_task(taking))


async def _take(
    conversation_id: UUID, content: str, client_message_id: str | None, author_name: str
) -> Accepted:
    accepted = await database_hop(
        accept,
        conversation_id=conversation_id,
        content=content,
        client_message_id=client_message_id,
        author_name=author_name,
    )
    if not accepted.repeated:
        await at_home(_after_accept(accepted))
    return accepted


async def _after_accept(accepted: Accepted) -> None:
    message = accepted.message
    announce(message.workspace_id, message_frame(message))
    if accepted.opened:
        start(accepted.opened)
    elif accepted.turn_id:
        runs().client_wrote_on(message.conversation_id)


def announce(workspace_id: UUID, frame: Frame) -> None:
    """Tells everyone who watches the conversation or the practice's inbox. Home loop only."""
    bus().publish([conversation_topic(frame["conversation"]), inbox_topic(workspace_id)], frame)


def start(turn: TurnKey) -> Run:
    """Runs the turn in the background of this process. Home loop only."""
    return runs().start(turn, run_turn)


async def run_turn(run: Run) -> None:
    """Context, generate, commit, after. What it may not say any more, it does not say."""
    turn = run.turn
    enter_workspace(turn.workspace_id)
    bind_trace_id(turn.trace_id)
    try:
        generated = await _generate_until_settled(run)
    except AllModelsFailed as failure:
        await _fail(run, failure)
    else:
        # From here on a takeover decides in the database; stopping in the middle would only lose
        # the ledger of a call that was made, or the news of a reply that was stored.
        await asyncio.shield(asyncio.create_task(_settle(run, generated)))


async def _settle(run: Run, generated: Generated) -> None:
    try:
        committed = await _commit(run, generated)
    except Exception:
        await write_entries(generated.entries)
        raise
    if committed.message is None:
        run.reply.close()
        log.info("turn.discarded", turn=str(run.turn.id))
        return
    run.reply.finish()
    announce(run.turn.workspace_id, message_frame(committed.message))
    if committed.next_turn:
        start(committed.next_turn)


async def _generate_until_settled(run: Run) -> Generated:
    """Reads the context and asks the model, again if the client wrote on before seeing anything."""
    while True:
        context = await database_hop(read_context, run.turn)
        try:
            return await run.interruptible(generate(context, run.reply))
        except run.Merged:
            run.reply.reset()


async def _commit(run: Run, generated: Generated) -> Committed:
    """A database that is away for a moment must not cost a reply that was paid for."""
    for tries in range(1, COMMIT_TRIES + 1):
        try:
            return await database_hop(
                commit_reply,
                run.turn,
                generated.reply,
                author_name=generated.author_name,
                record=generated.record,
                entries=generated.entries,
            )
        except (OperationalError, InterfaceError):
            if tries == COMMIT_TRIES:
                raise
            await asyncio.sleep(0.2 * 2**tries)
    raise AssertionError("unreachable")


async def _fail(run: Run, failure: AllModelsFailed) -> None:
    run.reply.reset()
    run.reply.close()
    failed = await database_hop(
        fail_turn,
        run.turn,
        error=_in_one_word(failure),
        record={"faults": [f"{fault.choice}: {fault}" for fault in failure.failures]},
    )
    log.error("turn.failed", turn=str(run.turn.id), error=str(failure))
    if failed:
        announce(run.turn.workspace_id, event_frame(failed.event))
        announce(run.turn.workspace_id, message_frame(failed.message))


def _in_one_word(failure: AllModelsFailed) -> str:
    """For the coach: what went wrong, without the vendors' words (those are in the record)."""
    kinds = dict.fromkeys(fault.kind for fault in failure.failures)
    return f"no model answered ({', '.join(kinds) or 'out of time'})"
