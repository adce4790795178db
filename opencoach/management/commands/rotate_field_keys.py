from typing import Any

from django.core.management.base import BaseCommand, CommandError

from opencoach.accounts.services import rotate_provider_keys


class Command(BaseCommand):
    help = (
        "Re-encrypt what is encrypted at rest under the first of FIELD_ENCRYPTION_KEYS. "
        "Put the new key in front, restart, run this, then remove the old key."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        written, unreadable = rotate_provider_keys()
        self.stdout.write(f"Re-encrypted: {written}.")
        if unreadable:
            rows = ", ".join(f"{row.provider} of workspace {row.workspace_id}" for row in unreadable)
            raise CommandError(
                f"No configured key can read: {rows}. Add the key they were made with to "
                "FIELD_ENCRYPTION_KEYS and run this again, or have them entered anew."
            )
