"""The one door to every model.

    async with ModelCall(request, choices, context) as call:
        async for event in call:  # TextDelta | ToolCall | Usage | Stop | Reset
            ...
        entries = call.take_entries()

The answer is what came after the last `Reset`. Every attempt leaves a ledger row; rows that the
caller did not take, to write them in a transaction of its own, are written on the way out.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

import structlog

from opencoach.ai.attempts import Attempt
from opencoach.ai.breaker import Breaker, close_breaker, shared_breaker
from opencoach.ai.chain import Candidate, Chain
from opencoach.ai.metrics import count_attempt
from opencoach.ai.providers.base import ChatRequest, Stop, StreamEvent
from opencoach.ai.providers.registry import close_providers
from opencoach.ai.terms import (
    AllModelsFailed,
    CallContext,
    Failure,
    Limits,
    ModelChoice,
    NoModel,
    Reset,
    default_limits,
)
from opencoach.common.hops import database_hop
from opencoach.common.rls import workspace_scope
from opencoach.common.tracing import current_trace_id
from usage.models import LedgerEntry, Status
from usage.services import record_entries

__all__ = [
    "AllModelsFailed",
    "CallContext",
    "CallEvent",
    "Failure",
    "Limits",
    "ModelCall",
    "ModelChoice",
    "NoModel",
    "Reset",
    "close_models",
    "write_entries",
]

log = structlog.get_logger(__name__)

CallEvent = StreamEvent | Reset

# The loop keeps only weak references to tasks; a write must outlive the call that asked for it.
_writes: set[asyncio.Task[None]] = set()


class ModelCall:
    """One answer from the first model of a chain that gives a whole one.

    Iterating raises `AllModelsFailed` when none did within `limits.whole_s`. Cancelling the
    iterating task, or leaving the block early, closes the model's stream at once.
    """

    def __init__(
        self,
        request: ChatRequest,
        choices: Sequence[ModelChoice],
        context: CallContext,
        limits: Limits | None = None,
        *,
        breaker: Breaker | None = None,
    ) -> None:
        """`request.model` is replaced by each choice's; `choices` come in order of preference."""
        trace_id = context.trace_id or request.trace_id or current_trace_id()
        self._request = replace(request, trace_id=trace_id)
        self._choices = tuple(choices)
        self._context = context
        self._limits = limits or default_limits()
        self._given_breaker = breaker
        self._entries: list[LedgerEntry] = []
        self._failures: list[Failure] = []
        self._current: tuple[Candidate, Attempt] | None = None
        self._last_entry: LedgerEntry | None = None
        self._over = False
        self.answered_by: ModelChoice | None = None
        """Whose answer stands; `None` until its `Stop`."""

    async def __aenter__(self) -> Self:
        """Starts the clock of `whole_s`. Raises `NoModel`."""
        if not self._choices:
            raise NoModel("no model is configured for this call")
        self._breaker = self._given_breaker or shared_breaker()
        self._whole_at = asyncio.get_running_loop().time() + self._limits.whole_s
        self._chain = Chain(self._choices, self._limits, self._breaker, self._whole_at)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._over = True
        try:
            if self._current:
                await self._cancelled(*self._current)
        finally:
            if entries := self.take_entries():
                await write_entries(entries)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CallEvent:
        while not self._over:
            candidate, attempt = self._current or await self._begin()
            try:
                event = await attempt.next_event()
            except Exception as error:  # noqa: BLE001 - whatever failed, the next model may answer
                failure = await self._failed(candidate, attempt, error)
                if attempt.delivered:
                    return Reset(failure.kind)
            else:
                if isinstance(event, Stop):
                    await self._answered(candidate, attempt)
                return event
        raise StopAsyncIteration

    def take_entries(self) -> list[LedgerEntry]:
        """The rows of all ended attempts, once; whoever takes them writes them."""
        taken, self._entries = self._entries, []
        return taken

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Why the models before the one that answered did not, choices that were skipped too."""
        return (*self._chain.skipped, *self._failures)

    async def _begin(self) -> tuple[Candidate, Attempt]:
        candidate = await self._chain.take()
        if candidate is None:
            self._over = True
            raise AllModelsFailed(self.failures)
        request = replace(self._request, model=candidate.choice.model)
        self._current = (
            candidate,
            Attempt(candidate.choice, request, self._limits, self._whole_at),
        )
        return self._current

    async def _answered(self, candidate: Candidate, attempt: Attempt) -> None:
        self.answered_by = candidate.choice
        self._over = True
        self._end(attempt, Status.OK)
        await attempt.close()
        await self._breaker.succeeded(candidate.choice, candidate.verdict)

    async def _failed(self, candidate: Candidate, attempt: Attempt, error: Exception) -> Failure:
        failure = Failure.of(candidate.choice, error)
        self._failures.append(failure)
        self._end(attempt, Status.FAILED, failure)
        self._chain.put_back(candidate, failure, delivered=attempt.delivered)
        unexpected = error if failure.kind == Failure.UNEXPECTED else None
        log.warning(
            "model_attempt_failed",
            model=str(candidate.choice),
            error=str(failure),
            exc_info=unexpected,
        )
        await attempt.close()
        await self._breaker.failed(failure)
        return failure

    async def _cancelled(self, candidate: Candidate, attempt: Attempt) -> None:
        self._end(attempt, Status.CANCELLED)
        await attempt.close()
        await self._breaker.gave_up(candidate.choice, candidate.verdict)

    def _end(self, attempt: Attempt, status: Status, failure: Failure | None = None) -> None:
        """First of all, and without waiting: from here on the row cannot be lost."""
        self._current = None
        replaced = self._last_entry
        entry = attempt.entry(
            self._context,
            status,
            number=replaced.attempt + 1 if replaced else 1,
            replaces_id=replaced.id if replaced else None,
            failure=failure,
        )
        self._last_entry = entry
        self._entries.append(entry)
        count_attempt(entry)


async def close_models() -> None:
    """Closes the running loop's connections to providers and Redis: call it before a loop ends."""
    await close_providers()
    await close_breaker()


async def write_entries(entries: list[LedgerEntry]) -> None:
    """Writes even where the waiting task is cancelled meanwhile. Raises nothing: the answer
    stands, or another error is on its way; what could not be written is in the log."""
    write = asyncio.create_task(_write(entries))
    _writes.add(write)
    write.add_done_callback(_writes.discard)
    await asyncio.shield(write)


async def _write(entries: list[LedgerEntry]) -> None:
    try:
        await database_hop(_record, entries)
    except Exception:
        for entry in entries:
            log.exception("ledger_entry_not_written", entry=_plain(entry))


def _record(entries: list[LedgerEntry]) -> None:
    with workspace_scope(entries[0].workspace_id):
        record_entries(entries)


def _plain(entry: LedgerEntry) -> dict[str, str]:
    return {field.attname: str(getattr(entry, field.attname)) for field in entry._meta.fields}
