"""Many clients of ours at once: all talking, and most of them only there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.generator import generator
from benchmarks.load import Measured
from benchmarks.servers import Machine
from benchmarks.systems import System
from benchmarks.turns import RATE, metered, times

STREAMING = 200
OPEN = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    warm_turns: int
    turns: int
    seconds: float


FULL = Plan(warm_turns=2, turns=10, seconds=30)
QUICK = Plan(warm_turns=1, turns=1, seconds=4)


def measure_crowds(machine: Machine, system: System, plan: Plan) -> dict[str, Any]:
    with generator() as clients:
        clients.open(system.sockets[:STREAMING])
        clients.rounds(64, plan.warm_turns, apart_s=0.7)
        streaming = _costed(machine, system, lambda: clients.rounds(STREAMING, plan.turns))
        clients.open(system.sockets)
        opened = _costed(machine, system, lambda: clients.at_rate(RATE, plan.seconds))
        return {"streaming": streaming, "open": opened}


def _costed(machine: Machine, system: System, work: Callable[[], Measured]) -> dict[str, Any]:
    with metered(machine, system) as used:
        measured = work()
    return times(measured) | {"cpu_ms": used["all"] * 1000 / (measured.turns or 1)}
