"""The sweeper: a turn whose process died is run again, and answers exactly once.

A turn whose lease is over belongs to nobody. Whoever sweeps it raises the conversation's epoch, as
a human intervention does, so a run that was only slow and comes back finds its right gone.
"""

from uuid import UUID

import structlog
from django.db import transaction
from django.utils.timezone import now

from conversations.log import locked
from conversations.models import Conversation, Mode, Turn, TurnStatus
from conversations.turns.accept import TurnKey, lease_from
from conversations.turns.commit import Failed, fail_turn, key_of
from opencoach.common.rls import every_workspace, workspace_scope
from usage.services import record_abandoned

log = structlog.get_logger(__name__)

# A turn that takes its process down every time must not take down every process.
MOST_ATTEMPTS = 4
BATCH = 100


def expired_turns() -> list[tuple[UUID, UUID]]:
    """(workspace, turn) of running turns whose lease is over."""
    with every_workspace("the sweeper looks for turns whose process died, wherever they belong"):
        expired = Turn.objects.filter(status=TurnStatus.RUNNING, lease_until__lt=now())
        return list(expired.values_list("workspace_id", "id")[:BATCH])


def reclaim(workspace_id: UUID, turn_id: UUID) -> TurnKey | Failed | None:
    """Takes an expired turn over, to be run here; `None` where somebody else was quicker."""
    with workspace_scope(workspace_id), transaction.atomic():
        turn = Turn.objects.filter(id=turn_id).first()
        if turn is None:  # erased with its client
            return None
        conversation = locked(turn.conversation_id)
        turn.refresh_from_db()
        if turn.status != TurnStatus.RUNNING or turn.lease_until >= now():
            return None
        key = key_of(turn, conversation)
        record_abandoned(
            workspace_id=workspace_id,
            action="reply",
            person_id=key.client_id,
            conversation_id=key.conversation_id,
            turn_id=key.id,
            trace_id=key.trace_id,
        )
        log.warning("turn.reclaimed", turn=str(turn_id), attempt=turn.attempt + 1)
        if conversation.mode != Mode.AI:
            turn.status = TurnStatus.DISCARDED
            turn.save(update_fields=["status"])
            return None
        if turn.attempt >= MOST_ATTEMPTS:
            return fail_turn(key, error="its process died every time", record=turn.record)
        return run_again(turn, conversation)


def run_again(turn: Turn, conversation: Conversation) -> TurnKey:
    """Gives the turn a new epoch, attempt and lease. Expects the conversation locked."""
    conversation.epoch += 1
    conversation.save(update_fields=["epoch"])
    turn.epoch = conversation.epoch
    turn.attempt += 1
    turn.status = TurnStatus.RUNNING
    turn.input_seq = conversation.last_client_seq
    turn.lease_until = lease_from(now())
    turn.save(update_fields=["epoch", "attempt", "status", "input_seq", "lease_until"])
    return key_of(turn, conversation)
