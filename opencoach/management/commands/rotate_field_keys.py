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
            keys = [f"{key.provider} of workspace {key.workspace_id}" for key in unreadable]
            raise CommandError(
                f"No configured key can read: {', '.join(keys)}. Add the key that they were made "
                "with to FIELD_ENCRYPTION_KEYS and run this again, or have them entered anew."
            )
