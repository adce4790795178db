"""Starts the model server in its own process and talks to its control endpoints."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from urllib.request import Request, urlopen

from tests.model_server.replies import reply_text

_PROJECT = Path(__file__).resolve().parents[2]


class ModelServer:
    """`with ModelServer() as server:`; the process also ends when this one dies.

    A fault can be asked for in the model's name (`gpt-test!cut@5`), which is best where tests
    run in parallel, or through `script`, which is for callers whose model name is fixed.
    """

    def __init__(self, port: int = 0) -> None:
        """`port` 0 lets the kernel choose a free one."""
        self._wanted_port = port
        self.port = port

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.model_server", "--exit-with-parent"),
                *("--port", str(self._wanted_port)),
            ],
            cwd=_PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the model server did not start")
        self.port = int(line.split()[1])
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        """The base URL for Anthropic and Bedrock."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    def base_url(self, vendor: str) -> str:
        return self.openai_url if vendor == "openai" else self.url

    @staticmethod
    def reply_to(prompt: str, tokens: int = 20) -> str:
        """What the server answers when `prompt` is the last client message."""
        return reply_text(prompt, tokens)

    def script(self, *faults: str | dict[str, Any], marker: str = "") -> None:
        """The next calls, in order; with a marker only calls whose body contains it.

        An entry is `"cut@5"`, `"ok"`, `"429@2!tokens@9"`, or Behaviour's fields as a dict, such as
        `{"fault": "tool_call", "tool": "book_session", "arguments": {...}}` or `{"text": "..."}`.
        """
        self._post("script", {"faults": list(faults), "marker": marker})

    def default(self, **settings: Any) -> None:
        """Behaviour's fields for calls that nothing else decides, e.g. `tokens=60, tps=100`."""
        self._post("default", settings)

    def random_faults(
        self, probability: float, seed: int = 0, faults: list[str] | None = None
    ) -> None:
        self._post("random", {"probability": probability, "seed": seed, "faults": faults})

    def calls(self, marker: str = "", *, bodies: bool = False) -> list[dict[str, Any]]:
        """Every accepted call, oldest first, whose raw body or trace id contains `marker`.

        `bodies` adds each request's body, for tests of what left the machine.
        """
        extra = "&bodies=1" if bodies else ""
        return self._request(f"calls?marker={quote(marker)}{extra}")  # type: ignore[no-any-return]

    def stats(self) -> dict[str, int]:
        return self._request("stats")  # type: ignore[no-any-return]

    def reset(self) -> None:
        """Forgets the log, the scripts, the default and the random faults."""
        self._post("reset", {})

    def _post(self, name: str, settings: dict[str, Any]) -> None:
        self._request(name, json.dumps(settings).encode())

    def _request(self, name: str, body: bytes | None = None) -> Any:
        with urlopen(Request(f"{self.url}/control/{name}", data=body), timeout=10) as response:
            return json.load(response)
