"""Workspaces, the people in them and their keys: everything that writes here.

Each service names the workspace to the database itself where it makes one; otherwise the caller's
scope holds, so that a service never reaches further than who called it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Model
from django.utils.timezone import now

from opencoach.accounts.exceptions import ForeignCoach, UnknownScope
from opencoach.accounts.models import (
    ApiKey,
    Client,
    Coach,
    Membership,
    Provider,
    ProviderKey,
    Role,
    User,
    Workspace,
)
from opencoach.accounts.scopes import ALL_SCOPES
from opencoach.accounts.secrets import (
    API_KEY_PREFIX,
    InvalidToken,
    digest_of,
    encrypt,
    is_current,
    new_api_key,
    rotated,
)
from opencoach.common.rls import every_workspace, workspace_scope

M = TypeVar("M", bound=Model)

_HINT_CHARACTERS = 4
_BATCH = 200


def create_workspace(*, slug: str, name: str) -> Workspace:
    return Workspace.objects.create(slug=slug, name=name)


@transaction.atomic
def create_coach(
    *,
    workspace: Workspace,
    user: User,
    role: str = Role.COACH,
    name: str = "",
    clone_name: str = "",
    greeting: str = "",
    approach: str = "",
) -> Coach:
    """Makes `user` a member who coaches; one who is a member already keeps what they have."""
    name = name or user.display_name
    with workspace_scope(workspace.id):
        membership, _ = Membership.objects.get_or_create(
            workspace=workspace, user=user, defaults={"role": role}
        )
        coach, _ = Coach.objects.get_or_create(
            membership=membership,
            defaults={
                "workspace": workspace,
                "name": name,
                "clone_name": clone_name or f"{name}'s clone",
                "greeting": greeting,
                "approach": approach,
            },
        )
    return coach


def create_client(*, coach: Coach, external_id: str, **details: Any) -> tuple[Client, bool]:
    """The coach's new client, or the one who has this `external_id` already, as they are.

    Two calls at once make one client: the second waits at the unique constraint and reads the
    first one's row. The second value says whether this call made it.
    """
    return Client.objects.get_or_create(
        workspace_id=coach.workspace_id,
        external_id=external_id,
        defaults={"coach": coach, **details},
    )


def change_client(*, client: Client, changes: Mapping[str, Any]) -> Client:
    """`changes`: any of name, email, timezone, coach, user. Raises `ForeignCoach`."""
    coach = changes.get("coach")
    if coach is not None and coach.workspace_id != client.workspace_id:
        raise ForeignCoach("This coach belongs to another workspace.")
    return _change(client, changes, {"name", "email", "timezone", "coach", "user"})


def change_coach(*, coach: Coach, changes: Mapping[str, Any]) -> Coach:
    """`changes`: any of name, clone_name, greeting, approach."""
    return _change(coach, changes, {"name", "clone_name", "greeting", "approach"})


def change_workspace(*, workspace: Workspace, changes: Mapping[str, Any]) -> Workspace:
    """`changes`: the name. The slug stays, because commands and clones are addressed by it."""
    return _change(workspace, changes, {"name"})


def _change(row: M, changes: Mapping[str, Any], changeable: set[str]) -> M:
    """Writes the named fields and no others, so that two callers do not undo one another."""
    if unknown := set(changes) - changeable:
        raise ValueError(f"cannot be changed here: {', '.join(sorted(unknown))}")
    for field, value in changes.items():
        setattr(row, field, value)
    if changes:
        row.save(update_fields=list(changes))
    return row


@transaction.atomic
def erase_client(*, client: Client) -> None:
    """Removes the client, all that was said, and their log-in where it served nothing else.

    The ledger keeps what the calls cost: it holds counts and no text. What hangs on the client is
    locked first, so that a turn at work on it ends before or finds nothing after.
    """
    for relation in client._meta.related_objects:
        hanging: type[Model] = relation.related_model
        rows = hanging._base_manager.filter(**{relation.field.name: client})
        list(rows.select_for_update().values_list("pk", flat=True))
    user = client.user
    client.delete()
    if user is not None:
        _erase_unneeded(user)


def _erase_unneeded(user: User) -> None:
    with every_workspace("a person may be a member or a client in other workspaces too"):
        if not (user.is_staff or user.memberships.exists() or user.clients.exists()):
            user.delete()


def create_api_key(
    *,
    workspace: Workspace,
    name: str,
    scopes: Iterable[str] = ALL_SCOPES,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """The key's row and the key itself, which is stored nowhere: show it now or never.

    Raises `UnknownScope`.
    """
    wanted = sorted(set(scopes))
    if unknown := set(wanted) - ALL_SCOPES:
        raise UnknownScope(
            f"No such scope: {', '.join(sorted(unknown))}. Known are: "
            f"{', '.join(sorted(ALL_SCOPES))}."
        )
    if not wanted:
        raise UnknownScope("A key without a scope could do nothing.")
    key = new_api_key()
    with workspace_scope(workspace.id):
        row = ApiKey.objects.create(
            workspace=workspace,
            name=name,
            digest=digest_of(key),
            hint=key[: len(API_KEY_PREFIX) + 4],
            scopes=wanted,
            created_by=created_by,
        )
    return row, key


def revoke_api_key(*, key: ApiKey) -> bool:
    """From now on the key opens nothing. `False` where it was revoked before."""
    revoked = ApiKey.objects.filter(id=key.id, revoked_at=None).update(revoked_at=now())
    return bool(revoked)


def set_provider_key(*, workspace: Workspace, provider: Provider, key: str) -> ProviderKey:
    """Replaces the workspace's key to this provider, if it has one."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError("A provider key is printable ASCII: paste it as the provider shows it.")
    row, _ = ProviderKey.objects.update_or_create(
        workspace=workspace,
        provider=provider,
        defaults={"ciphertext": encrypt(key), "hint": key[-_HINT_CHARACTERS:]},
    )
    return row


def remove_provider_key(*, workspace: Workspace, provider: Provider) -> bool:
    removed, _ = ProviderKey.objects.filter(workspace=workspace, provider=provider).delete()
    return bool(removed)


def rotate_provider_keys() -> tuple[int, list[ProviderKey]]:
    """Brings every key under the first of `FIELD_ENCRYPTION_KEYS`.

    Returns how many were written, and the rows that no configured key can read. What is under the
    first key already is left alone, so a second run, or one that takes up a broken first, writes
    only what is still to do.
    """
    written, unreadable = 0, []
    with every_workspace("encryption keys belong to the installation, not to a workspace"):
        stale = [
            key_id
            for key_id, ciphertext in ProviderKey.objects.order_by("id")
            .values_list("id", "ciphertext")
            .iterator(chunk_size=_BATCH)
            if not is_current(bytes(ciphertext))
        ]
        for start in range(0, len(stale), _BATCH):
            done, failed = _rotate(stale[start : start + _BATCH])
            written += done
            unreadable += failed
    return written, unreadable


@transaction.atomic
def _rotate(ids: list[UUID]) -> tuple[int, list[ProviderKey]]:
    """Under the rows' locks: a key that is being replaced right now must not come back."""
    ready, unreadable = [], []
    for row in ProviderKey.objects.select_for_update(of=("self",)).filter(id__in=ids):
        try:
            row.ciphertext = rotated(bytes(row.ciphertext))
            ready.append(row)
        except InvalidToken:
            unreadable.append(row)
    ProviderKey.objects.bulk_update(ready, ["ciphertext"])
    return len(ready), unreadable
