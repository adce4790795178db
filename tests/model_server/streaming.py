"""Plays a reply over a connection at its pace, up to the fault."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.model_server.behaviour import Behaviour
from tests.model_server.http import Connection, chunk
from tests.model_server.wire import Wire

Ending = Literal["whole", "partial", "abort", "hang"]


@dataclass(frozen=True, slots=True)
class Plan:
    head: bytes
    frames: list[bytes]
    """One network write each."""
    tokens: int
    """How many of `frames`, from the first, carry a token."""
    ending: Ending


def plan(wire: Wire, behaviour: Behaviour) -> Plan:
    tokens, tail = wire.tokens, [wire.finish, wire.end]
    part = tokens[: len(tokens) // 2 if behaviour.at is None else behaviour.at]
    match behaviour.fault:
        case "cut":
            return Plan(wire.head, part, len(part), "abort")
        case "cut_before_first_token":
            return Plan(wire.head, [], 0, "abort")
        case "stall":
            return Plan(wire.head, part, len(part), "hang")
        case "bad_chunk":
            rest = [wire.garbage, *tokens[len(part) :], *tail]
            return Plan(wire.head, part + rest, len(part), "partial")
        case "error_event":
            return Plan(wire.head, [*part, wire.error_event], len(part), "partial")
        case "end_without_marker":
            return Plan(wire.head, part, len(part), "partial")
        case "no_done":
            return Plan(wire.head, [*tokens, wire.finish], len(tokens), "partial")
        case "fragments":
            return Plan(b"", _fragments(wire, behaviour.at or 7), len(tokens), "whole")
    return Plan(wire.head, [*tokens, *tail], len(tokens), "whole")


def _fragments(wire: Wire, size: int) -> list[bytes]:
    data = b"".join([wire.head, *wire.tokens, wire.finish, wire.end])
    return [data[i : i + size] for i in range(0, len(data), size)]


class Player:
    """Timers, not a task: a stream costs one callback and one write a token."""

    def __init__(
        self,
        connection: Connection,
        plan: Plan,
        behaviour: Behaviour,
        on_end: Callable[[int, bool], None],
    ) -> None:
        """`on_end(tokens sent, whole)` is called once, also when the client goes away."""
        self._connection = connection
        self._plan = plan
        self._frames = [chunk(frame) for frame in plan.frames if frame]
        self._sent = 0
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        # A paced stream of fragments would take minutes; it is about boundaries, not about time.
        fragments = behaviour.fault == "fragments"
        self._interval_s = 0.0005 if fragments else 1 / behaviour.tps if behaviour.tps else 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, content_type: str, first_token_ms: float) -> None:
        self._connection.on_lost = self._lost
        self._connection.start_stream(content_type)
        if self._plan.head:
            self._connection.transport.write(chunk(self._plan.head))
        self._due = self._loop.time() + first_token_ms / 1000
        self._timer = self._loop.call_at(self._due, self._play)

    def _play(self) -> None:
        if not self._interval_s:
            self._connection.transport.write(b"".join(self._frames))
            self._sent = len(self._frames)
        elif self._sent < len(self._frames):
            self._connection.transport.write(self._frames[self._sent])
            self._sent += 1
        # What follows the last token leaves with it, as it does at the vendors.
        while self._sent >= self._plan.tokens and self._sent < len(self._frames):
            self._connection.transport.write(self._frames[self._sent])
            self._sent += 1
        if self._sent >= len(self._frames):
            self._end()
            return
        self._due += self._interval_s
        self._timer = self._loop.call_at(self._due, self._play)

    def _end(self) -> None:
        self._timer = None
        ending = self._plan.ending
        if ending == "hang":
            return  # until the client gives up: `_lost` reports
        self._connection.on_lost = None
        self._on_end(self._tokens_sent, ending == "whole")
        if ending == "abort":
            self._connection.abort()
        else:
            self._connection.end_stream()

    def _lost(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._on_end(self._tokens_sent, False)

    @property
    def _tokens_sent(self) -> int:
        return min(self._sent, self._plan.tokens)
