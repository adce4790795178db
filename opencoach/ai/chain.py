"""Who is asked next, and when: retries, back-off, `Retry-After`, the breaker, the fallback.

The choices stand in a queue. A transient fault leaves a choice where it is, to be asked again
after a wait; one that was slow, or broke off in mid-answer, goes to the end, because the next
model answers sooner; any other fault takes it out. A choice that may not be asked for longer than
`Limits.patience_s` lets the others go first. One behind an open breaker goes to the end and gets a
single try there, so it is asked only when everything else failed, or when there is nothing else.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from opencoach.ai.breaker import Breaker, Verdict
from opencoach.ai.terms import Failure, Limits, ModelChoice

_SAME_S = 0.05  # two clocks name the same moment a little differently


@dataclass(slots=True, eq=False)
class Candidate:
    choice: ModelChoice
    tries_left: int
    verdict: Verdict
    faults: int = 0
    ready_at: float = 0.0
    demoted: bool = False
    """The breaker had its say; this one is asked regardless now."""


class Chain:
    def __init__(
        self, choices: Sequence[ModelChoice], limits: Limits, breaker: Breaker, whole_at: float
    ) -> None:
        self._queue = [Candidate(c, limits.retries + 1, Verdict()) for c in choices]
        self._limits = limits
        self._breaker = breaker
        self._whole_at = whole_at
        self._time = asyncio.get_running_loop().time
        self.skipped: list[Failure] = []

    async def take(self) -> Candidate | None:
        """Waits until a choice may be asked; `None` when none is left, or none in time."""
        while candidate := self._soonest():
            if await self._may_ask(candidate):
                wait_s = candidate.ready_at - self._time()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                candidate.tries_left -= 1
                return candidate
        return None

    def put_back(self, candidate: Candidate, failure: Failure, *, delivered: bool) -> None:
        """After a fault: waits its turn again, or leaves."""
        candidate.faults += 1
        if not failure.transient or candidate.tries_left <= 0:
            self._queue.remove(candidate)
            return
        wait_s = failure.retry_after_s
        if wait_s is None:
            wait_s = backoff_s(candidate.faults, self._limits)
        candidate.ready_at = self._time() + wait_s
        if delivered or failure.kind == "timeout":
            self._to_the_end(candidate)

    def _soonest(self) -> Candidate | None:
        near = self._time() + self._limits.patience_s
        ready = (c for c in self._queue if c.ready_at <= near)
        candidate = next(ready, None) or min(self._queue, key=lambda c: c.ready_at, default=None)
        if candidate and max(candidate.ready_at, self._time()) < self._whole_at:
            return candidate
        return None

    async def _may_ask(self, candidate: Candidate) -> bool:
        if candidate.demoted:
            return True
        candidate.verdict = verdict = await self._breaker.ask(candidate.choice)
        if verdict.open:
            candidate.demoted, candidate.tries_left = True, 1
            self._to_the_end(candidate)
            self._skip(candidate, "the circuit breaker is open")
            return False
        free_at = self._time() + verdict.held_s
        if verdict.held_s and free_at > candidate.ready_at + _SAME_S:
            candidate.ready_at = free_at
            self._skip(candidate, f"rate limited for {verdict.held_s:.1f} s more")
            return False
        return True

    def _to_the_end(self, candidate: Candidate) -> None:
        self._queue.remove(candidate)
        self._queue.append(candidate)

    def _skip(self, candidate: Candidate, detail: str) -> None:
        self.skipped.append(Failure(candidate.choice, Failure.SKIPPED, detail))


def backoff_s(faults: int, limits: Limits) -> float:
    """The wait after the n-th fault: exponential, with half of it at random, so that callers that
    failed together do not come back together."""
    longest = min(limits.backoff_s * 2 ** (faults - 1), limits.backoff_max_s)
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards nothing
