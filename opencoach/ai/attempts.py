"""One request to one model: its events within their limits, and the ledger row it leaves."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import structlog

from opencoach.ai import estimates
from opencoach.ai.deadlines import Deadline
from opencoach.ai.providers.base import (
    ChatRequest,
    ProviderFault,
    Stop,
    StreamEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from opencoach.ai.providers.registry import provider
from opencoach.ai.storable import StorableText, storable
from opencoach.ai.terms import CallContext, Failure, Limits, ModelChoice
from usage.models import LedgerEntry, Status

log = structlog.get_logger(__name__)

CLOSE_S = 1.0
# Without a word of an answer these mean that no model read the prompt: nobody bills for that.
_REFUSED = frozenset(
    {"rate_limited", "overloaded", "server_error", "connect", "bad_request", "auth",
     Failure.UNEXPECTED}
)  # fmt: skip


class Attempt:
    def __init__(
        self, choice: ModelChoice, request: ChatRequest, limits: Limits, whole_at: float
    ) -> None:
        """`whole_at` is when the whole call has to end, on the loop's clock."""
        self.choice = choice
        self.delivered = False
        """Text or a tool call has been given out: a fault from here on needs a `Reset`."""
        self._request = request
        self._limits = limits
        self._whole_at = whole_at
        self._stream: AsyncIterator[StreamEvent] | None = None
        self._deadline = Deadline()
        self._time = asyncio.get_running_loop().time
        self._started_at = datetime.now(UTC)
        self._started = time.perf_counter()
        self._first_due = self._time() + limits.first_token_s
        self._ttft_ms: int | None = None
        self._text = StorableText()
        self._characters = 0
        self._usage: Usage | None = None
        self._stopped = False

    async def next_event(self) -> StreamEvent:
        """Raises `ProviderFault` for a fault and for each limit; other errors pass unchanged."""
        due = self._time() + self._limits.gap_s if self.delivered else self._first_due
        try:
            with self._deadline.at(min(due, self._whole_at)):
                event = await anext(self._opened())
        except StopAsyncIteration:
            raise ProviderFault("cut", "the stream ended without a stop") from None
        except TimeoutError:
            raise ProviderFault("timeout", self._limit_passed()) from None
        if isinstance(event, TextDelta):
            event = TextDelta(self._text.storable(event.text))
        self._note(event)
        if isinstance(event, Stop) and not self.delivered:
            raise ProviderFault("empty", f"stopped ({event.reason}) without a word")
        return event

    def _opened(self) -> AsyncIterator[StreamEvent]:
        if self._stream is None:
            source = provider(self.choice.provider, self.choice.credentials)
            self._stream = aiter(source.stream(self._request))
        return self._stream

    def _limit_passed(self) -> str:
        if self._time() >= self._whole_at:
            return "whole reply"
        return "gap between two events" if self.delivered else "first token"

    def _note(self, event: StreamEvent) -> None:
        if isinstance(event, TextDelta):
            self._characters += len(event.text)
            if event.text:
                self._delivers()
        elif isinstance(event, ToolCall):
            self._characters += len(event.name) + estimates.json_characters(event.arguments)
            self._delivers()
        elif isinstance(event, Usage):
            self._usage = event
        elif isinstance(event, Stop):
            self._stopped = True

    def _delivers(self) -> None:
        if not self.delivered:
            self.delivered = True
            self._ttft_ms = self._elapsed_ms()

    def _elapsed_ms(self) -> int:
        return round((time.perf_counter() - self._started) * 1000)

    async def close(self) -> None:
        """Closes the provider's stream, and with it the HTTP response. Raises nothing."""
        self._deadline.close()
        close = getattr(self._stream, "aclose", None)
        if close is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await close()
        except Exception:  # the answer stands, or failed already for a reason of its own
            log.warning("model_stream_close_failed", model=str(self.choice), exc_info=True)

    def entry(
        self,
        context: CallContext,
        status: Status,
        *,
        number: int,
        replaces_id: UUID | None,
        failure: Failure | None = None,
    ) -> LedgerEntry:
        """The row of this attempt as it stands now, not written yet; its cost is set then."""
        prompt, completion, cached = self._tokens(failure)
        return LedgerEntry(
            workspace_id=context.workspace_id,
            person_id=context.person_id,
            conversation_id=context.conversation_id,
            turn_id=context.turn_id,
            action=context.action,
            provider=self.choice.provider,
            model=self.choice.model,
            attempt=number,
            replaces_id=replaces_id,
            status=status,
            error=storable(str(failure))[:200] if failure else "",
            prompt_tokens=prompt,
            completion_tokens=completion,
            cached_tokens=cached,
            estimated=not (self._stopped and self._usage),
            latency_ms=self._elapsed_ms(),
            ttft_ms=self._ttft_ms,
            trace_id=self._request.trace_id,
            created_at=self._started_at,
        )

    def _tokens(self, failure: Failure | None) -> tuple[int, int, int]:
        """Prompt, completion, cached. A reply cut short cost its prompt and what came of it."""
        named = self._usage
        if named and self._stopped:
            return named.prompt_tokens, named.completion_tokens, named.cached_tokens
        if failure and failure.kind in _REFUSED and not self.delivered:
            return 0, 0, 0
        completion = estimates.tokens_of(self._characters)
        if named:
            completion = max(completion, named.completion_tokens)
            return named.prompt_tokens, completion, named.cached_tokens
        return estimates.prompt_tokens(self._request), completion, 0
