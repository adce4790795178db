"""`python -m benchmarks [name…] [--quick] [--write]`: measure, print the tables, keep them.

Without a name all of them run, one after the other. Each system has the machine to itself.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import crowds, growth, races, systems, turns
from benchmarks.environment import langgraph_python
from benchmarks.processes import PROJECT
from benchmarks.servers import Machine, description, machine
from benchmarks.tables import TABLES, put_between_markers, targets_table
from opencoach.embedded.state import FileLock, data_folder, private_folder

PAGE = PROJECT / "docs" / "performance.md"
BUSY = 1.0
"""A load average above this means that something else is running."""

Start = Callable[[Machine, int], Any]


class Benchmarks:
    def __init__(self, on: Machine, langgraph: Path | None, quick: bool) -> None:
        self._machine, self._quick = on, quick
        self._systems: dict[str, Start] = {"OpenCoach": systems.ours, "floor": systems.floor}
        if langgraph:
            self._systems["langgraph"] = partial(systems.langgraph, langgraph)

    def turns(self) -> dict[str, Any]:
        plan = turns.QUICK if self._quick else turns.FULL
        result = {}
        for name, start in self._systems.items():
            with start(self._machine, turns.CONVERSATIONS) as system:
                result[name] = turns.measure_turns(self._machine, system, plan)
        return result

    def crowds(self) -> dict[str, Any]:
        plan = crowds.QUICK if self._quick else crowds.FULL
        with systems.ours(self._machine, crowds.OPEN) as system:
            return crowds.measure_crowds(self._machine, system, plan)

    def growth(self) -> dict[str, Any]:
        result = {}
        plans = {"OpenCoach": growth.FULL, "langgraph": growth.FULL_LANGGRAPH}
        for name in plans.keys() & self._systems.keys():
            plan = growth.QUICK if self._quick else plans[name]
            with self._systems[name](self._machine, plan.sockets) as system:
                result[name] = growth.measure_growth(self._machine, system, plan)
        return dict(sorted(result.items()))

    def races(self) -> dict[str, Any]:
        count = races.RACES_QUICK if self._quick else races.RACES
        return races.measure_races(self._machine, count)


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that all are stopped
    folder = private_folder(data_folder() / "bench")
    if not FileLock(folder / "bench.lock").try_take():
        sys.exit("A benchmark is running already, and two would measure each other.")
    names = options.names or list(TABLES)
    langgraph = langgraph_python(folder) if {"turns", "growth"} & set(names) else None
    circumstances = _circumstances(options.quick)
    print(circumstances, flush=True)
    results: dict[str, Any] = {}
    with machine(folder) as on:
        benchmarks = Benchmarks(on, langgraph, options.quick)
        for name in names:
            began = time.perf_counter()
            results[name] = getattr(benchmarks, name)()
            print(f"\n{name} ({time.perf_counter() - began:.0f} s)\n", flush=True)
            print(TABLES[name](results[name]), flush=True)
    print(f"\n{targets_table(results)}")
    if not options.quick:
        kept = _keep(folder / "results.json", results)
        if options.write:
            _write(results, kept, circumstances)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(TABLES))
    parser.add_argument("--quick", action="store_true", help="too short to mean much; to try it")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options = parser.parse_args()
    if unknown := set(options.names) - set(TABLES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    if options.quick and options.write:
        parser.error("a quick run is not worth keeping")
    return options


def _circumstances(quick: bool) -> str:
    load = os.getloadavg()[0]
    busy = "; the machine is busy, so the figures are too high" if load > BUSY else ""
    short = "; quick, so the figures are rough" if quick else ""
    today = datetime.now(UTC).date().isoformat()
    return f"{today}, {description()}, load average {load:.1f} at the start{busy}{short}."


def _keep(path: Path, results: dict[str, Any]) -> dict[str, Any]:
    """Adds these to the last full results of every name, and returns them all."""
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    kept |= results
    path.write_text(json.dumps(kept, indent=1))
    return kept


def _write(results: dict[str, Any], kept: dict[str, Any], circumstances: str) -> None:
    for name, result in results.items():
        put_between_markers(PAGE, name, f"{circumstances}\n\n{TABLES[name](result)}")
    put_between_markers(PAGE, "targets", targets_table(kept))


if __name__ == "__main__":
    main()
