"""Run any program with the complete environment: `python -m opencoach.embedded mypy .`"""

import subprocess
import sys

from opencoach.embedded.command import environment

with environment(["python -m opencoach.embedded", "run"]):
    sys.exit(subprocess.call(sys.argv[1:]))  # noqa: S603  (the caller's own command)
