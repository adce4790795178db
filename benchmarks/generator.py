"""Our end of the load generator's pipe."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.load import Measured
from benchmarks.processes import PROJECT
from benchmarks.servers import TOKENS, plain_environment


class Generator:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def open(self, sockets: list[dict[str, Any]]) -> None:
        self._do("open", sockets=sockets, tokens=TOKENS)

    def rounds(self, talking: int, turns: int, apart_s: float = 0.0, skip: int = 0) -> Measured:
        return Measured(
            **self._do("rounds", talking=talking, turns=turns, apart_s=apart_s, skip=skip)
        )

    def for_a_while(self, talking: int, seconds: float, apart_s: float = 0.8) -> Measured:
        return Measured(
            **self._do("for_a_while", talking=talking, seconds=seconds, apart_s=apart_s)
        )

    def at_rate(self, rate: float, seconds: float) -> Measured:
        return Measured(**self._do("at_rate", rate=rate, seconds=seconds))

    def _do(self, command: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator ended; its error is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def generator() -> Iterator[Generator]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=PROJECT,
        env=plain_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Generator(process)
    finally:
        process.kill()
        process.communicate()
