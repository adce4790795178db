"""A circuit breaker for each provider and key, shared by all processes through Redis.

It opens after `faults` transient faults in a row (no success between them) within `window_s`, for
`open_s`. Then it is half-open: one caller is let through as the probe; its success closes the
breaker, its fault opens it again. Retries inside one call count each.

A 429 that names `Retry-After` is no sign of a sick provider: it counts as no fault, but holds that
one model for that key until then (at most `hold_max_s`), for everybody. Faults that say nothing
about the provider's health count neither: a bad request, a bad key, malformed tool arguments.

A caller pays one read (MGET) per key, at most once every `cache_s`; a healthy key is never written
to. With Redis away every breaker is closed and calls go on.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

import structlog
from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from opencoach.ai.metrics import BREAKER_OPENED
from opencoach.ai.terms import Failure, ModelChoice

log = structlog.get_logger(__name__)
T = TypeVar("T")

_COUNTED = frozenset(
    {"rate_limited", "overloaded", "server_error", "connect", "timeout", "cut", "bad_chunk",
     "error_event"}
)  # fmt: skip
_TRIPPED_S = 600  # with nobody to probe it, an open breaker is forgotten after this
_CACHED_KEYS = 1000

# KEYS: faults, open, tripped, probe. ARGV: window, threshold, open time, tripped time (ms).
# Returns 1 when it opened. One script, so that two processes cannot both miss the threshold.
_FAULT = """
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
if n < tonumber(ARGV[2]) and redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
local news = redis.call('EXISTS', KEYS[2]) == 0
redis.call('SET', KEYS[2], 1, 'PX', ARGV[3])
redis.call('SET', KEYS[3], 1, 'PX', ARGV[4])
redis.call('DEL', KEYS[4])
return news and 1 or 0
"""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    faults: int = 5
    window_s: float = 30.0
    open_s: float = 10.0
    probe_s: float = 30.0
    """A probe that has not reported by then has died: another may go."""
    hold_max_s: float = 60.0
    cache_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    open: bool = False
    probe: bool = False
    """This caller was let through a half-open breaker, and owes a report."""
    held_until: float = 0.0
    """Unix time; the model is rate limited until then."""
    faults: int = 0

    @property
    def held_s(self) -> float:
        return max(0.0, self.held_until - time.time())


class Breaker:
    """One per event loop: its Redis connections belong to that."""

    def __init__(self, redis: Redis, rules: BreakerRules | None = None) -> None:
        self._redis = redis
        self._rules = rules or BreakerRules()
        self._cache: dict[ModelChoice, tuple[float, Verdict]] = {}

    async def ask(self, choice: ModelChoice) -> Verdict:
        cached = self._cache.get(choice)
        if cached and cached[0] > time.monotonic():
            return cached[1]
        verdict = await self._guarded(self._read(choice)) or Verdict()
        if not verdict.probe:
            self._remember(choice, verdict)
        return verdict

    async def _read(self, choice: ModelChoice) -> Verdict:
        keys = _keys(choice)
        opened, tripped, faults, held = await self._redis.mget(
            keys.open, keys.tripped, keys.faults, keys.held
        )
        held_until = float(held or 0)
        if opened:
            return Verdict(open=True, held_until=held_until)
        if not tripped:
            return Verdict(held_until=held_until, faults=int(faults or 0))
        milliseconds = _ms(self._rules.probe_s)
        won = bool(await self._redis.set(keys.probe, 1, nx=True, px=milliseconds))
        return Verdict(open=not won, probe=won, held_until=held_until)

    async def succeeded(self, choice: ModelChoice, verdict: Verdict) -> None:
        """Closes the breaker; with nothing to close it costs nothing."""
        if verdict.open or verdict.probe or verdict.faults:
            self._forget(choice)
            keys = _keys(choice)
            await self._guarded(
                self._redis.delete(keys.faults, keys.open, keys.tripped, keys.probe)
            )

    async def failed(self, failure: Failure) -> None:
        self._forget(failure.choice)
        if failure.kind == "rate_limited" and failure.retry_after_s:
            await self._guarded(self._hold(failure.choice, failure.retry_after_s))
        elif failure.kind in _COUNTED:
            await self._guarded(self._count(failure.choice))

    async def gave_up(self, choice: ModelChoice, verdict: Verdict) -> None:
        """A probe that ended without an answer and without a fault: another may go."""
        if verdict.probe:
            await self._guarded(self._redis.delete(_keys(choice).probe))

    async def _hold(self, choice: ModelChoice, seconds: float) -> None:
        seconds = min(seconds, self._rules.hold_max_s)
        until = time.time() + seconds
        await self._redis.set(_keys(choice).held, repr(until), px=_ms(seconds) + 1)

    async def _count(self, choice: ModelChoice) -> None:
        keys, rules = _keys(choice), self._rules
        opened = await self._redis.eval(
            _FAULT,
            4,
            *(keys.faults, keys.open, keys.tripped, keys.probe),
            *(_ms(rules.window_s), rules.faults, _ms(rules.open_s), _ms(_TRIPPED_S)),
        )
        if opened:
            BREAKER_OPENED.labels(choice.provider).inc()
            log.warning("model_breaker_opened", provider=choice.provider)

    async def _guarded(self, work: Awaitable[T]) -> T | None:
        try:
            return await work
        except (RedisError, OSError) as error:
            log.warning("model_breaker_blind", error=repr(error))
            return None

    async def aclose(self) -> None:
        await self._redis.aclose()

    def _forget(self, choice: ModelChoice) -> None:
        """Every model of that key."""
        of_key = [
            other
            for other in self._cache
            if (other.provider, other.credentials) == (choice.provider, choice.credentials)
        ]
        for other in of_key:
            del self._cache[other]

    def _remember(self, choice: ModelChoice, verdict: Verdict) -> None:
        if len(self._cache) >= _CACHED_KEYS:
            self._cache.clear()
        self._cache[choice] = (time.monotonic() + self._rules.cache_s, verdict)


@dataclass(frozen=True, slots=True)
class _Keys:
    faults: str
    open: str
    tripped: str
    probe: str
    held: str


def _keys(choice: ModelChoice) -> _Keys:
    """With the key's fingerprint, never the key; the braces keep them on one node of a cluster."""
    key = choice.credentials
    secret = "\0".join((key.api_key, key.base_url, key.region))
    fingerprint = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    base = f"opencoach:breaker:{{{choice.provider}:{fingerprint}}}"
    held = f"{base}:held:{choice.model}"
    return _Keys(f"{base}:faults", f"{base}:open", f"{base}:tripped", f"{base}:probe", held)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


_breakers: WeakKeyDictionary[asyncio.AbstractEventLoop, Breaker] = WeakKeyDictionary()


def shared_breaker() -> Breaker:
    """The running loop's breaker."""
    loop = asyncio.get_running_loop()
    if loop not in _breakers:
        # A breaker's connections keep its loop alive, so one that ended is not dropped by itself.
        for ended in [other for other in _breakers if other.is_closed()]:
            del _breakers[ended]
        _breakers[loop] = Breaker(redis_client())
    return _breakers[loop]


def redis_client() -> Redis:
    """Short time-outs and no retries: a breaker must not be what a call waits for."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=0.5,
        socket_connect_timeout=0.5,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


async def close_breaker() -> None:
    """Closes the running loop's Redis connections: call it before a loop ends."""
    breaker = _breakers.pop(asyncio.get_running_loop(), None)
    if breaker:
        await breaker.aclose()
