"""The reference's own Python environment, so that ours stays free of its packages."""

import subprocess
import sys
from pathlib import Path

from benchmarks.processes import PROJECT

LOCK = PROJECT / "requirements" / "bench.lock"


def langgraph_python(folder: Path) -> Path | None:
    """Its interpreter, installed at first need; None if that failed, and the reason is printed."""
    venv = folder / "venv"
    python, stamp = venv / "bin" / "python", venv / "installed.lock"
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        print("Installing the langgraph reference into an environment of its own.", flush=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes"]
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(venv)],
            [*install, "--requirement", str(LOCK)],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"Without langgraph, because it could not be installed:\n{_end(done)}")
                return None
        stamp.write_bytes(LOCK.read_bytes())
    return python


def _end(done: "subprocess.CompletedProcess[str]") -> str:
    return "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
