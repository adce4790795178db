from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from opencoach.accounts.exceptions import UnknownScope
from opencoach.accounts.models import Workspace
from opencoach.accounts.scopes import ALL_SCOPES
from opencoach.accounts.services import create_api_key


class Command(BaseCommand):
    help = "Make an API key. It is printed alone on stdout, once, and stored only as a hash."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--name", default="command line", help="default: %(default)s")
        parser.add_argument(
            "--scopes", metavar="a,b", help=f"default: all of {','.join(sorted(ALL_SCOPES))}"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            _, key = create_api_key(
                workspace=_workspace(options["workspace"]),
                name=_name(options["name"]),
                scopes=_scopes(options["scopes"]),
            )
        except UnknownScope as error:
            raise CommandError(str(error)) from None
        self.stdout.write(key)


def _workspace(slug: str) -> Workspace:
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace:
        return workspace
    known = list(Workspace.objects.order_by("slug").values_list("slug", flat=True)[:10])
    raise CommandError(
        f"There is no workspace {slug!r}. "
        + (f"There is: {', '.join(known)}." if known else "There is none yet: try `load_demo`.")
    )


def _name(name: str) -> str:
    if not 0 < len(name.strip()) <= 80:
        raise CommandError("--name takes 1 to 80 characters.")
    return name.strip()


def _scopes(listed: str | None) -> frozenset[str]:
    if listed is None:
        return ALL_SCOPES
    return frozenset(scope.strip() for scope in listed.split(",") if scope.strip())
