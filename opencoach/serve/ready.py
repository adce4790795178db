"""Tell the person at the terminal when the practice is open, and how to get in."""

import http.client
import logging
import os
import sys
import time
from pathlib import Path

from django.conf import settings

from opencoach.embedded import ensure_secrets

logger = logging.getLogger(__name__)

LATE_AFTER_S = 30
LOG_INS = (
    ("admin@example.com", "platform admin"),
    ("coach@example.com", "coach"),
    ("client@example.com", "client"),
)


class Readiness:
    """Asks `/readyz` until it answers 200, then prints the address and the log-ins."""

    def __init__(self, host: str, port: int) -> None:
        self._host = "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104
        self._port = port
        self._announced = False
        self._late_at = time.monotonic() + LATE_AFTER_S

    def announce_once(self) -> None:
        if self._announced:
            return
        answer = self._ask()
        if answer == "200":
            self._announced = True
            _say(self._greeting())
        elif time.monotonic() > self._late_at:
            self._late_at = time.monotonic() + LATE_AFTER_S
            logger.warning("not ready yet: /readyz says %s", answer)

    def _ask(self) -> str:
        """The status, with the body unless it is 200; or why there was no answer."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            body = response.read(500).decode(errors="replace")
            return "200" if response.status == 200 else f"{response.status} {body}"
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        finally:
            connection.close()

    def _greeting(self) -> str:
        rows = [f"  {email:<20} {who}" for email, who in LOG_INS]
        return "\n".join(
            [
                f"OpenCoach is ready at http://{self._host}:{self._port}/",
                "Sign in to the demo practice as",
                *rows,
                f"  password: {demo_password()}",
                "Press Ctrl-C to stop.",
            ]
        )


def demo_password() -> str:
    """The demo people's password: `OPENCOACH_ADMIN_PASSWORD`, or the generated one."""
    chosen = os.environ.get("OPENCOACH_ADMIN_PASSWORD")
    return chosen or ensure_secrets(Path(settings.OPENCOACH_DATA)).demo_password


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
