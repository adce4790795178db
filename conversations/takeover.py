"""Takeover and hand-back: who holds a conversation, decided under its row lock.

Each function is one transaction that locks the conversation, raises its epoch and writes what
happened to its log. The epoch is what keeps a reply in flight from being stored; `announce_change`
then stops its stream and tells everyone who watches.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from conversations.exceptions import Invalid, NotAllowed, WrongMode
from conversations.home import at_home
from conversations.live.frames import Frame, event_frame, message_frame
from conversations.log import add_event, add_message, locked
from conversations.models import Conversation, Message, Mode, Source, Turn, TurnStatus
from conversations.turns.accept import (
    TurnKey,
    check_same,
    checked_client_message_id,
    checked_content,
    is_storable,
)
from conversations.turns.commit import open_turn
from conversations.turns.engine import announce, start
from conversations.turns.runs import runs
from conversations.turns.sweep import run_again
from opencoach.accounts.access import Caller
from opencoach.accounts.models import Coach
from opencoach.accounts.scopes import Scope
from opencoach.common.hops import database_hop
from opencoach.common.tracing import current_trace_id

HandbackMode = Literal["answer_pending", "only_new"]
NOTE_MAX_CHARACTERS = 2_000


@dataclass(slots=True)
class Change:
    """What an intervention did, for its caller and for those who watch."""

    conversation: Conversation
    frames: list[Frame] = field(default_factory=list)
    message: Message | None = None
    opened: TurnKey | None = None


def check_may_coach(caller: Caller) -> None:
    """Raises `NotAllowed`."""
    if not caller.may(Scope.CONVERSATIONS_COACH):
        raise NotAllowed("Only a coach of this practice may do this.")


def _hold(conversation: Conversation, caller: Caller) -> Frame | None:
    """Makes the caller the holder; `None` when they are already."""
    holder = _acting_coach(conversation, caller)
    if conversation.mode == Mode.HUMAN and conversation.holder_id == holder.id:
        return None
    return _change_mode(conversation, Mode.HUMAN, caller, holder=holder)


def _acting_coach(conversation: Conversation, caller: Caller) -> Coach:
    """An integrator's key acts for the conversation's own coach."""
    return Coach.objects.get(id=caller.coach_id or conversation.coach_id)


def _change_mode(
    conversation: Conversation, mode: Mode, caller: Caller, *, holder: Coach | None = None
) -> Frame:
    """The one place where a mode changes: the epoch rises and running turns lose their right."""
    conversation.mode = mode
    conversation.holder = holder
    conversation.epoch += 1
    Turn.objects.filter(conversation=conversation, status=TurnStatus.RUNNING).update(
        status=TurnStatus.DISCARDED, finished_at=now()
    )
    event = add_event(
        conversation,
        "mode.changed",
        mode=mode,
        epoch=conversation.epoch,
        holder_name=holder.name if holder else "",
        by=caller.name,
    )
    return event_frame(event)


def _save(conversation: Conversation) -> None:
    conversation.save(
        update_fields=[
            "mode", "holder", "epoch", "last_seq", "answered_seq", "needs_human",
            "note_for_clone", "last_message_at",
        ]
    )  # fmt: skip


def take_over(conversation_id: UUID, caller: Caller) -> Change:
    """The caller's hands on the wheel; taking over twice is once. Raises `WrongMode`."""
    check_may_coach(caller)
    with transaction.atomic():
        conversation = locked(conversation_id)
        _check_not_completed(conversation)
        change = Change(conversation)
        if frame := _hold(conversation, caller):
            change.frames.append(frame)
            conversation.needs_human = False
            _save(conversation)
    return change


def write_as_coach(
    conversation_id: UUID, caller: Caller, content: str, client_message_id: str | None
) -> Change:
    """A coach's message; writing takes over. The same `client_message_id` again changes nothing."""
    check_may_coach(caller)
    content = checked_content(content)
    client_message_id = checked_client_message_id(client_message_id)
    with transaction.atomic():
        conversation = locked(conversation_id)
        change = Change(conversation)
        if client_message_id and (
            earlier := conversation.messages.filter(client_message_id=client_message_id).first()
        ):
            check_same(earlier, Source.HUMAN_COACH, content)
            change.message = earlier
            return change
        _check_not_completed(conversation)
        if frame := _hold(conversation, caller):
            change.frames.append(frame)
        change.message = add_message(
            conversation,
            Source.HUMAN_COACH,
            content,
            client_message_id=client_message_id,
            author_name=conversation.holder.name if conversation.holder else caller.name,
        )
        change.frames.append(message_frame(change.message))
        conversation.answered_seq = conversation.last_client_seq
        conversation.needs_human = False
        _save(conversation)
    return change


def hand_back(conversation_id: UUID, caller: Caller, mode: HandbackMode, note: str = "") -> Change:
    """The clone's again: it answers what is pending, or only what comes. Raises `WrongMode`."""
    check_may_coach(caller)
    if mode not in ("answer_pending", "only_new"):
        raise Invalid("`mode` must be `answer_pending` or `only_new`.", "handback_mode")
    note = checked_note(note)
    with transaction.atomic():
        conversation = locked(conversation_id)
        if conversation.mode not in (Mode.HUMAN, Mode.WAITING):
            raise WrongMode(
                "Nobody has taken this conversation over, so there is nothing to hand back."
            )
        change = Change(conversation)
        change.frames.append(_change_mode(conversation, Mode.AI, caller))
        conversation.note_for_clone = note
        if mode == "only_new":
            conversation.answered_seq = conversation.last_client_seq
        _save(conversation)
        change.opened = open_turn(conversation, trace_id=current_trace_id())
    return change


def pause(conversation_id: UUID, caller: Caller) -> Change:
    """Nobody answers; what the client writes is kept."""
    return _set_mode(conversation_id, caller, Mode.PAUSED, {Mode.AI, Mode.WAITING, Mode.HUMAN})


def resume(conversation_id: UUID, caller: Caller) -> Change:
    """The clone's again after a pause; it answers what was written meanwhile."""
    return _set_mode(conversation_id, caller, Mode.AI, {Mode.PAUSED})


def complete(conversation_id: UUID, caller: Caller) -> Change:
    """The end of this conversation: nothing more is taken."""
    return _set_mode(conversation_id, caller, Mode.COMPLETED, set(Mode) - {Mode.COMPLETED})


def _set_mode(conversation_id: UUID, caller: Caller, mode: Mode, allowed_from: set[Mode]) -> Change:
    check_may_coach(caller)
    with transaction.atomic():
        conversation = locked(conversation_id)
        change = Change(conversation)
        if conversation.mode == mode:
            return change
        if conversation.mode not in allowed_from:
            raise WrongMode(f"This cannot be done while the conversation is `{conversation.mode}`.")
        change.frames.append(_change_mode(conversation, mode, caller))
        _save(conversation)
        change.opened = open_turn(conversation, trace_id=current_trace_id())
    return change


def retry(conversation_id: UUID, caller: Caller, turn_id: UUID) -> Change:
    """Runs a failed turn again, for everything that the client still waits for."""
    check_may_coach(caller)
    with transaction.atomic():
        conversation = locked(conversation_id)
        turn = Turn.objects.filter(conversation=conversation, id=turn_id).first()
        if turn is None or turn.status != TurnStatus.FAILED:
            raise WrongMode("Only a failed turn can be run again.")
        if conversation.mode != Mode.AI or not conversation.has_pending:
            raise WrongMode("This was answered or taken over meanwhile: there is nothing to retry.")
        if conversation.turns.filter(status=TurnStatus.RUNNING).exists():
            raise WrongMode("The clone is already answering.")
        conversation.needs_human = False
        conversation.save(update_fields=["needs_human"])
        return Change(conversation, opened=run_again(turn, conversation))


def _check_not_completed(conversation: Conversation) -> None:
    if conversation.mode == Mode.COMPLETED:
        raise WrongMode("This conversation is completed: start a new one.")


def checked_note(note: object) -> str:
    """Raises `Invalid`."""
    if note is None or note == "":
        return ""
    if not isinstance(note, str) or len(note) > NOTE_MAX_CHARACTERS or not is_storable(note):
        raise Invalid(
            f"`note` must be a text of at most {NOTE_MAX_CHARACTERS} characters, without NUL.",
            "note",
        )
    return note.strip()


# --- telling everyone -------------------------------------------------------------------------


async def intervene(operation: Callable[..., Change], *args: object) -> Change:
    """Runs one of the functions above, and sees to its effects before it returns.

    When it returns, no run of this process shows another token, and every watcher was told.
    """
    change = await database_hop(operation, *args)
    await at_home(_announce_change(change))
    return change


async def _announce_change(change: Change) -> None:
    conversation = change.conversation
    if change.frames:
        runs().stop_below(conversation.id, conversation.epoch)
    for frame in change.frames:
        announce(conversation.workspace_id, frame)
    if change.opened:
        start(change.opened)
