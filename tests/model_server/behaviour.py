"""What the server does with one call, and the four places that can say so.

In order of precedence: a suffix of the model name (`gpt-test!cut@5!tps@100`), a script entry
whose marker stands in the request body, the plain script queue, random faults, the default.
A suffix needs no shared state, so tests that run in parallel prefer it.
"""

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

FAULTS = frozenset(
    {
        "timeout",  # accepts, and never answers
        "slow_first_token",  # headers at once, first token after `at` ms (2000)
        "cut",  # the TCP connection closes after `at` tokens
        "cut_before_first_token",
        "stall",  # `at` tokens, then silence on an open connection
        "bad_chunk",  # bytes that are not the wire format after `at` tokens
        "error_event",  # the vendor's error event after `at` tokens
        "end_without_marker",  # a well-formed HTTP body that ends after `at` tokens
        "no_done",  # everything but the last marker ([DONE], message_stop)
        "fragments",  # a whole reply in network writes of `at` bytes (7)
        "tool_call",
        "bad_tool_arguments",
        "no_usage",
        "length",  # stops for max_tokens
    }
)
RANDOM_FAULTS = ("429", "500", "529", "cut", "bad_chunk", "error_event", "cut_before_first_token")


@dataclass(frozen=True, slots=True)
class Behaviour:
    fault: str = ""
    """A name of FAULTS, a status such as "429", or "" for a whole reply."""
    at: int | None = None
    """Tokens before the fault (half of them when None); `Retry-After` seconds for a status."""
    tokens: int = 20
    tps: float = 0.0
    """Tokens a second; 0 sends the whole reply in one write."""
    first_token_ms: float = 0.0
    cached: int = 0
    """Prompt tokens that the usage names as read from the prompt cache."""
    text: str = ""
    """The reply word for word; empty makes one from the last client message."""
    tool: str = ""
    arguments: Mapping[str, Any] | None = None

    @property
    def status(self) -> int | None:
        return int(self.fault) if self.fault.isdigit() else None


_NUMBERS = {"at": int, "tokens": int, "tps": float, "first_token_ms": float, "cached": int}


def from_spec(spec: str | Mapping[str, Any], base: Behaviour) -> Behaviour:
    """A spec is `"cut@5!tps@100"` or a mapping of Behaviour's fields."""
    if not isinstance(spec, str):
        known = {f.name for f in fields(Behaviour)}
        if unknown := set(spec) - known:
            raise ValueError(f"unknown settings: {sorted(unknown)}")
        return replace(base, **spec)
    for part in filter(None, spec.split("!")):
        base = _apply(part, base)
    return base


def _apply(part: str, base: Behaviour) -> Behaviour:
    name, _, number = part.partition("@")
    if name in _NUMBERS:
        changes: dict[str, Any] = {name: _NUMBERS[name](number)}
        return replace(base, **changes)
    if name == "ok":
        return replace(base, fault="")
    if name in FAULTS or name.isdigit():
        return replace(base, fault=name, at=int(number) if number else None)
    raise ValueError(f"unknown fault or setting: {part!r}")


class Director:
    """Chooses the behaviour of each call."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._default = Behaviour()
        self._queue: deque[Any] = deque()
        self._marked: dict[str, deque[Any]] = {}
        self._random = random.Random(0)
        self._probability = 0.0
        self._random_faults: tuple[str, ...] = RANDOM_FAULTS

    def set_default(self, spec: str | Mapping[str, Any]) -> None:
        self._default = from_spec(spec, Behaviour())

    def add_script(self, specs: list[Any], marker: str = "") -> None:
        for spec in specs:
            from_spec(spec, self._default)  # a typo should fail here, not in a later call
        queue = self._marked.setdefault(marker, deque()) if marker else self._queue
        queue.extend(specs)

    def set_random(
        self, probability: float, seed: int = 0, faults: list[str] | None = None
    ) -> None:
        self._random = random.Random(seed)
        self._probability = probability
        self._random_faults = tuple(faults or RANDOM_FAULTS)

    def choose(self, model: str, body: str) -> Behaviour:
        _, bang, suffix = model.partition("!")
        if bang:
            return from_spec(suffix, self._default)
        return from_spec(self._scripted(body) or self._by_chance(), self._default)

    def _scripted(self, body: str) -> Any:
        for marker, queue in self._marked.items():
            if queue and marker in body:
                return queue.popleft()
        return self._queue.popleft() if self._queue else None

    def _by_chance(self) -> str:
        if self._probability and self._random.random() < self._probability:
            return self._random.choice(self._random_faults)
        return ""
