import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from opencoach.serve import children
from opencoach.serve.children import Child, stop_all

SUPERVISOR = """
import sys, time
from opencoach.serve.children import Child
child = Child("sleeper", ["sleep", "60"])
child.start()
print(child._process.pid, flush=True)
time.sleep(60)
"""
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on'); time.sleep(60)"


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(children, "GRACE_S", 0.2)


def test_a_child_that_dies_is_started_again_and_the_log_says_so(
    quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    child = Child("brief", ["false"])
    child.keep_alive()
    wait_for(lambda: bool(child.keep_alive() or child.failures == 3))
    assert "brief ended with status 1; starting it again in 0.05 s" in caplog.messages
    assert "brief ended with status 1; starting it again in 0.2 s" in caplog.messages
    stop_all([child], hurry=lambda: False)


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(quick: None) -> None:
    child = Child("stubborn", [sys.executable, "-c", STUBBORN])
    child.start()
    stop_all([child], hurry=lambda: False)
    assert not child.is_alive()


def test_what_a_child_started_ends_with_it(quick: None) -> None:
    child = Child("parent", ["sh", "-c", "sleep 60 & wait"])
    child.start()
    assert child._process
    parent = psutil.Process(child._process.pid)
    wait_for(lambda: bool(parent.children()))
    grandchild = parent.children()[0].pid
    stop_all([child], hurry=lambda: False)
    wait_for(lambda: not is_running(grandchild))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a death")
def test_a_child_dies_with_a_supervisor_that_is_killed() -> None:
    command = [sys.executable, "-c", SUPERVISOR]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout
        pid = int(supervisor.stdout.readline())
        supervisor.send_signal(signal.SIGKILL)
    wait_for(lambda: not is_running(pid))
