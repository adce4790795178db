"""Turn 50 of a conversation against turn 1: five early turns and five late ones."""

from dataclasses import dataclass
from typing import Any

from benchmarks.generator import Generator, generator
from benchmarks.load import Measured
from benchmarks.servers import Machine
from benchmarks.systems import System
from benchmarks.turns import metered, times

BLOCK = 5
TURNS = 50


@dataclass(frozen=True, slots=True)
class Plan:
    talking: int
    sets: int
    turns: int = TURNS

    @property
    def sockets(self) -> int:
        return self.talking * (self.sets + 1)


FULL = Plan(talking=40, sets=2)
FULL_LANGGRAPH = Plan(talking=12, sets=1)
QUICK = Plan(talking=8, sets=1, turns=12)


def measure_growth(machine: Machine, system: System, plan: Plan) -> dict[str, Any]:
    """Early turns set by set, those between all together, and late ones set by set."""
    early, late = Part(machine, system), Part(machine, system)
    between = plan.turns - 2 * BLOCK
    with generator() as clients:
        clients.open(system.sockets)
        clients.rounds(plan.talking, BLOCK, apart_s=0.7)  # the process is warm, not the threads
        firsts = [number * plan.talking for number in range(1, plan.sets + 1)]
        for skip in firsts:
            early.run(clients, plan.talking, skip)
        clients.rounds(plan.talking * plan.sets, between, apart_s=0.7, skip=plan.talking)
        for skip in firsts:
            late.run(clients, plan.talking, skip)
    return {
        "talking": plan.talking,
        "turns": plan.turns,
        "early": early.result(),
        "late": late.result(),
    }


class Part:
    def __init__(self, machine: Machine, system: System) -> None:
        self._machine, self._system = machine, system
        self._measured = Measured()
        self._sums: dict[str, float] = {}

    def run(self, clients: Generator, talking: int, skip: int) -> None:
        before = self._machine.written(self._system.database)
        with metered(self._machine, self._system) as used:
            measured = clients.rounds(talking, BLOCK, apart_s=0.7, skip=skip)
        wal = (self._machine.written(self._system.database) - before).wal_bytes
        for name, amount in (used | {"wal_bytes": wal}).items():
            self._sums[name] = self._sums.get(name, 0.0) + amount
        self._measured.turns += measured.turns
        self._measured.ttft_ms += measured.ttft_ms
        self._measured.whole_ms += measured.whole_ms
        self._measured.errors += measured.errors

    def result(self) -> dict[str, Any]:
        turns = self._measured.turns or 1
        return times(self._measured) | {
            "cpu_ms": self._sums["all"] * 1000 / turns,
            "postgres_cpu_ms": self._sums["PostgreSQL"] * 1000 / turns,
            "wal_bytes_a_turn": self._sums["wal_bytes"] / turns,
        }
