"""Child processes that are started again when they die, and die when we do."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

GRACE_S = 10
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STABLE_AFTER_S = 60.0

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(number: signal.Signals, parent: int) -> None:
    """Have the kernel send this process a signal when its parent ends (on Linux)."""
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it ended before we asked
            os.kill(os.getpid(), number)


@dataclass
class Child:
    name: str
    command: Sequence[str]
    pass_fds: Sequence[int] = ()
    orphan_signal: signal.Signals = signal.SIGKILL
    """What it gets if we are killed and cannot stop it ourselves."""
    failures: int = 0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _started_at: float = field(default=0.0, init=False)
    _start_at: float = field(default=0.0, init=False)

    def start(self) -> None:
        """It leads a process group of its own: a Ctrl-C reaches it only through us."""
        parent = os.getpid()
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603  (the command is ours)
            self.command,
            pass_fds=self.pass_fds,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: end_with_parent(self.orphan_signal, parent),
        )

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def keep_alive(self) -> None:
        """Note a death; start again when its pause is over."""
        if self.is_alive():
            return
        if self._process is not None:
            self._note_death()
        elif time.monotonic() >= self._start_at:
            self.start()

    def _note_death(self) -> None:
        assert self._process is not None
        self.signal_group(signal.SIGKILL)  # its own children, if it left any
        if time.monotonic() - self._started_at > STABLE_AFTER_S:
            self.failures = 0
        pause = min(FIRST_PAUSE_S * 2**self.failures, LONGEST_PAUSE_S)
        status = self._process.returncode
        logger.warning(
            "%s ended with status %s; starting it again in %g s", self.name, status, pause
        )
        self.failures += 1
        self._start_at = time.monotonic() + pause
        self._process = None

    def signal_group(self, number: signal.Signals) -> None:
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return

    def end(self) -> None:
        """Nothing of it is left on return."""
        self.signal_group(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def terminate(self) -> None:
        """Ask the process itself; it decides how its own children finish."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()


def stop_all(children: Sequence[Child], hurry: Callable[[], bool]) -> None:
    """Stop all together: SIGTERM, then SIGKILL to whole groups after a grace or `hurry()`."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + GRACE_S
    while any(child.is_alive() for child in children):
        if time.monotonic() > deadline or hurry():
            break
        time.sleep(0.05)
    for child in children:
        child.end()
