"""Reading what services write."""

from uuid import UUID

import structlog

from opencoach.accounts.models import Coach, ProviderKey, Workspace
from opencoach.accounts.secrets import InvalidToken, decrypt

log = structlog.get_logger(__name__)


def provider_keys_for(workspace: Workspace | UUID) -> dict[str, str]:
    """Provider to key, in plain text: pass it on to the call and keep it nowhere.

    A key that no configured encryption key can read is left out, and the log says so: the model
    routes go on with what else there is.
    """
    keys = {}
    for row in ProviderKey.objects.filter(workspace=workspace):
        try:
            keys[row.provider] = decrypt(bytes(row.ciphertext))
        except InvalidToken:
            log.error("provider_key_unreadable", provider=row.provider, key=str(row.id))
    return keys


def coach_for_new_clients(workspace_id: UUID, coach_id: UUID | None) -> Coach | None:
    """The coach of this id, else the first of the workspace; `None` where there is no such."""
    coaches = Coach.objects.filter(workspace_id=workspace_id)
    if coach_id is not None:
        return coaches.filter(id=coach_id).first()
    return coaches.order_by("id").first()
