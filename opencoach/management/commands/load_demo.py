import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from opencoach import demo
from opencoach.embedded import ensure_secrets


class Command(BaseCommand):
    help = "Load the demo practice, once. What is there already stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--password",
            help="of the demo people; default: OPENCOACH_ADMIN_PASSWORD, else the generated one",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        made = demo.load(options["password"] or _password())
        self.stdout.write("Loaded the demo practice." if made else "The demo practice is there.")


def _password() -> str:
    chosen = os.environ.get("OPENCOACH_ADMIN_PASSWORD")
    return chosen or ensure_secrets(Path(settings.OPENCOACH_DATA)).demo_password
