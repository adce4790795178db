"""What the two servers have in common: where they live and how they come back."""

import re
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from opencoach.embedded.processes import (
    Process,
    ServerError,
    free_port,
    kill_stragglers,
    process_of,
    wait_until,
)
from opencoach.embedded.secrets import Secrets


@dataclass(frozen=True)
class Server(ABC):
    """A server whose own configuration and pid files are the record of where it is."""

    name: ClassVar[str]
    process_name: ClassVar[str]
    config_name: ClassVar[str]
    pid_name: ClassVar[str]

    data_dir: Path
    secrets: Secrets
    durable: bool = True
    """False trades safety on power loss for speed: for tests."""

    @abstractmethod
    def url(self) -> str:
        """Where the application finds it; meaningful while it runs."""

    @abstractmethod
    def stop(self) -> None:
        """Stopped in order, or killed, on return."""

    @abstractmethod
    def _run(self, port: int) -> None:
        """Start it in a prepared folder; ServerError unless it becomes ready."""

    @abstractmethod
    def _is_ready(self) -> bool: ...

    @property
    def folder(self) -> Path:
        return self.data_dir / self.name

    @property
    def log(self) -> Path:
        return self.data_dir / f"{self.name}.log"

    @property
    def config(self) -> Path:
        return self.folder / self.config_name

    @property
    def pid_file(self) -> Path:
        return self.folder / self.pid_name

    def process(self) -> Process | None:
        return process_of(self.pid_file, self.process_name, self.folder)

    def has_died(self) -> bool:
        """It was not stopped, yet it is gone: a server that stops removes its pid file."""
        return self.pid_file.exists() and self.process() is None

    def start(self) -> None:
        """Running and ready on return, whatever state the last end left behind."""
        if process := self.process():
            wait_until(self._is_ready, process, self.log)
            return
        kill_stragglers(self.process_name, self.folder)
        # Nothing stands behind it; its pid may be another's by now, at which
        # PostgreSQL would refuse to start.
        self.pid_file.unlink(missing_ok=True)
        try:
            self._run(free_port(self._port()))
        except ServerError:
            # Somebody may have been quicker to take that port.
            self._run(free_port(None))

    def _port(self) -> int | None:
        """Its port as configured last, which it keeps if it can."""
        with suppress(FileNotFoundError):
            if found := re.search(r"^port\W+(\d+)$", self.config.read_text(), re.MULTILINE):
                return int(found[1])
        return None
