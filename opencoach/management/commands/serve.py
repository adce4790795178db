import errno
import os
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from opencoach.serve import Options, serve
from opencoach.serve.children import end_with_parent


class Command(BaseCommand):
    help = "Serve OpenCoach: web, worker and beat. Ctrl-C stops everything."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        port = int(os.environ.get("PORT") or 8000)
        parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
        parser.add_argument("--port", type=int, default=port, help="default: $PORT, or 8000")
        parser.add_argument(
            "--web-processes",
            type=int,
            default=default_web_processes(),
            metavar="N",
            help="default: one a core, at most four",
        )
        parser.add_argument("--worker-processes", type=int, default=2, metavar="N")
        parser.add_argument("--no-worker", action="store_true", help="web only")
        parser.add_argument(
            "--stop-with-parent",
            action="store_true",
            help="also stop when the process that started this one ends, as make does",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["stop_with_parent"]:
            end_with_parent(signal.SIGTERM, os.getppid())
        try:
            serve(_options(options))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise CommandError(_port_in_use(options["port"])) from error


def default_web_processes() -> int:
    """One a core: Python runs on one core a process. More than four is for whoever measures it."""
    return min(os.cpu_count() or 1, 4)


def _options(options: dict[str, Any]) -> Options:
    return Options(
        host=options["host"],
        port=options["port"],
        web_processes=options["web_processes"],
        worker_processes=0 if options["no_worker"] else options["worker_processes"],
    )


def _port_in_use(port: int) -> str:
    return (
        f"Port {port} is in use: is OpenCoach running already?\n"
        f"Stop what uses it, or choose another port: PORT={port + 1} make run"
    )
