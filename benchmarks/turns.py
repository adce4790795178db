"""What a turn costs and how long it takes: each system alone on the machine."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.generator import Generator, generator
from benchmarks.load import Measured
from benchmarks.processes import cpu_seconds, machine_busy_seconds
from benchmarks.servers import FIRST_TOKEN_MS, TOKENS, TOKENS_A_SECOND, Machine
from benchmarks.systems import System

CONVERSATIONS = 64
RATE = 40.0
PROVIDER_MS = FIRST_TOKEN_MS + (TOKENS - 1) * 1000 / TOKENS_A_SECOND
"""How long the model server takes for a whole reply."""


@dataclass(frozen=True, slots=True)
class Plan:
    warm_turns: int
    """Of each conversation, before anything is measured."""
    turns_alone: int
    seconds: float
    """Of each window."""
    turns_logged: int


FULL = Plan(warm_turns=4, turns_alone=30, seconds=20, turns_logged=4)
QUICK = Plan(warm_turns=1, turns_alone=5, seconds=4, turns_logged=1)


def measure_turns(machine: Machine, system: System, plan: Plan) -> dict[str, Any]:
    with generator() as clients:
        clients.open(system.sockets)
        machine.checkpoint()
        clients.rounds(CONVERSATIONS, plan.warm_turns, apart_s=0.7)
        return {
            "idle_ms_a_second": idle(machine, system),
            "one": times(clients.rounds(1, plan.turns_alone)),
            "loop": _loop(machine, system, clients, plan),
            "rate": times(clients.at_rate(RATE, plan.seconds)),
            "queries_a_turn": _queries(machine, system, clients, plan),
        }


def idle(machine: Machine, system: System) -> float:
    """CPU-ms a second while nobody says anything; also the wait that row counts need."""
    began = time.perf_counter()
    with metered(machine, system) as used:
        machine.wait_for_row_counts()
    return used["all"] * 1000 / (time.perf_counter() - began)


def _loop(machine: Machine, system: System, clients: Generator, plan: Plan) -> dict[str, Any]:
    """As many turns as it can, each conversation waiting for its reply before it goes on."""
    machine.wait_for_row_counts()
    before = machine.written(system.database)
    with metered(machine, system) as used:
        measured = clients.for_a_while(CONVERSATIONS, plan.seconds)
    wal = machine.written(system.database) - before
    machine.wait_for_row_counts()
    rows = machine.written(system.database) - before
    turns = measured.turns or 1
    return times(measured) | {
        "cpu_ms": {part: seconds * 1000 / turns for part, seconds in used.items()},
        "others_percent": 100 * used["others"] / measured.seconds / os.cpu_count(),
        "rows_a_turn": rows.rows / turns,
        "wal_bytes_a_turn": wal.wal_bytes / turns,
        "full_pages_a_turn": wal.full_pages / turns,
    }


def _queries(machine: Machine, system: System, clients: Generator, plan: Plan) -> float:
    with machine.statement_log(system.database) as log:
        measured = clients.rounds(CONVERSATIONS, plan.turns_logged, apart_s=0.7)
    return log.queries / (measured.turns or 1)


@contextmanager
def metered(machine: Machine, system: System) -> Iterator[dict[str, float]]:
    """CPU seconds used within the block, filled in at its end.

    `others` is what has nothing to do with the benchmark: on a machine of its own, about nothing.
    """
    pids = {
        "all": system.pid,
        **system.parts,
        "PostgreSQL": machine.postgres_pid,
        "Redis": machine.redis_pid,
    }

    def so_far() -> dict[str, float]:
        seconds = {name: cpu_seconds([pid]) for name, pid in pids.items()}
        servers = [machine.postgres_pid, machine.redis_pid]
        known = cpu_seconds([os.getpid(), *servers])
        return seconds | {"others": machine_busy_seconds() - known}

    before = so_far()
    used: dict[str, float] = {}
    yield used
    used.update({name: seconds - before[name] for name, seconds in so_far().items()})


def times(measured: Measured) -> dict[str, Any]:
    """Latencies are over the provider's own; the rate leaves out the start and the tail."""
    begin, end = 0.2 * measured.seconds, 0.95 * measured.seconds
    ended = sum(begin < at <= end for at in measured.ended_at)
    first = [ms - FIRST_TOKEN_MS for ms in measured.ttft_ms]
    whole = [ms - PROVIDER_MS for ms in measured.whole_ms]
    return {
        "turns": measured.turns,
        "turns_a_second": ended / (end - begin) if measured.seconds else None,
        "deltas_a_turn": measured.deltas / (measured.turns or 1),
        "ttft_ms": [quantile(first, 0.5), quantile(first, 0.95)],
        "whole_ms": [quantile(whole, 0.5), quantile(whole, 0.95)],
        "errors": len(measured.errors),
        "an_error": measured.errors[0] if measured.errors else "",
    }


def quantile(values: list[float], part: float) -> float | None:
    """The nearest value; None if there are none."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]
