"""Takeovers raced against replies in flight, as in the suite and more of them.

`python -m benchmarks.races COUNT SEED` runs them on the migrated database of the environment, and
prints the result as one line of JSON.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.processes import PROJECT
from benchmarks.servers import Machine
from benchmarks.systems import our_environment

RACES, RACES_QUICK = 10_000, 200
TOGETHER = 24
SEED = 20_261_120
MODEL = "gpt-test!tokens@12!tps@200!first_token_ms@10"


def measure_races(machine: Machine, races: int) -> dict[str, Any]:
    machine.empty_redis()
    with machine.fresh_database("bench_races") as database_url:
        environment = our_environment(machine, database_url) | {"OPENAI_MODEL": MODEL}
        log = machine.folder / "races.log"
        _run(log, environment, "manage.py", "migrate", "--verbosity", "0")
        began = time.perf_counter()
        result = json.loads(_run(log, environment, "-m", "benchmarks.races", str(races), str(SEED)))
        return result | {"seconds": time.perf_counter() - began}


def _run(log: Path, environment: dict[str, str], *command: str) -> str:
    with log.open("w") as errors:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{command} failed; {log} ends:\n{log.read_text()[-2000:]}")
    return done.stdout


def _main(races: int, seed: int) -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opencoach.settings")
    django.setup()

    from tests.conftest import make_cast
    from tests.conversations.races import race_takeovers

    result = race_takeovers(make_cast(), races=races, together=TOGETHER, seed=seed)
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
