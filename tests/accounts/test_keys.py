from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from opencoach.accounts.exceptions import UnknownScope
from opencoach.accounts.models import ApiKey, Provider, ProviderKey
from opencoach.accounts.scopes import Scope
from opencoach.accounts.selectors import provider_keys_for
from opencoach.accounts.services import (
    create_api_key,
    remove_provider_key,
    revoke_api_key,
    rotate_provider_keys,
    set_provider_key,
)
from opencoach.common.rls import every_workspace, workspace_scope
from tests.accounts.conftest import Api
from tests.conftest import Cast

SECRET = "sk-proj-abcdefghijkl-9876"


def test_an_api_key_is_stored_as_a_hash_only(cast: Cast) -> None:
    row, key = create_api_key(workspace=cast.workspace, name="site")
    assert key.startswith("ock_")
    assert row.hint == key[:8]
    with connection.cursor() as cursor, every_workspace("to look for the key in the raw row"):
        cursor.execute("SELECT to_jsonb(k)::text FROM accounts_apikey k WHERE id = %s", [row.id])
        assert key[8:] not in str(cursor.fetchone())


def test_a_revoked_key_opens_nothing(cast: Cast) -> None:
    row, key = create_api_key(workspace=cast.workspace, name="site")
    assert Api(key).call("GET", "clients/").status_code == 200
    with workspace_scope(cast.workspace.id):
        assert revoke_api_key(key=row) is True
        assert revoke_api_key(key=row) is False
    answer = Api(key).call("GET", "clients/")
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:opencoach:problem:unknown_key")


@pytest.mark.parametrize("token", ["", "ock_", "ock_nope", "oct_nope", "oct_a:b:c", "Bearer", "é"])
def test_a_bearer_that_is_none_of_ours_is_refused(cast: Cast, token: str) -> None:
    assert Api(token).call("GET", "clients/").status_code == 401


def test_a_scope_that_does_not_exist_is_named(cast: Cast) -> None:
    with pytest.raises(UnknownScope, match="clients:fly"):
        create_api_key(workspace=cast.workspace, name="x", scopes=["clients:fly", "clients:read"])
    with pytest.raises(UnknownScope):
        create_api_key(workspace=cast.workspace, name="x", scopes=[])


def test_the_command_prints_the_key_alone(cast: Cast) -> None:
    out = StringIO()
    call_command(
        "create_api_key",
        workspace="here",
        name="cli",
        scopes="clients:read, usage:read",
        stdout=out,
    )
    key = out.getvalue().removesuffix("\n")
    assert Api(key).call("GET", "clients/").status_code == 200
    with every_workspace("to look"):
        made = ApiKey.objects.get(name="cli")
    assert made.workspace_id == cast.workspace.id
    assert set(made.scopes) == {Scope.CLIENTS_READ, Scope.USAGE_READ}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"workspace": "nowhere"}, "elsewhere, here"),
        ({"workspace": "here", "scopes": "clients:fly"}, "clients:fly"),
        ({"workspace": "here", "scopes": ","}, "without a scope"),
        ({"workspace": "here", "name": "x" * 81}, "80 characters"),
    ],
)
def test_the_command_says_what_is_wrong(cast: Cast, options: dict[str, str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("create_api_key", **options)


def test_a_provider_key_is_unreadable_at_rest_and_one_each(cast: Cast) -> None:
    with workspace_scope(cast.workspace.id):
        set_provider_key(workspace=cast.workspace, provider=Provider.OPENAI, key="sk-old-0000")
        row = set_provider_key(
            workspace=cast.workspace, provider=Provider.OPENAI, key=f" {SECRET}\n"
        )
        assert SECRET.encode() not in bytes(row.ciphertext)
        assert row.hint == "9876"
        assert provider_keys_for(cast.workspace) == {"openai": SECRET}
        assert provider_keys_for(cast.elsewhere) == {}
        assert remove_provider_key(workspace=cast.workspace, provider=Provider.OPENAI) is True
        assert provider_keys_for(cast.workspace) == {}
        assert remove_provider_key(workspace=cast.workspace, provider=Provider.OPENAI) is False


@pytest.mark.parametrize("key", ["", "  ", "sk-\x00", "sk-über", "sk-a\nb"])
def test_a_provider_key_that_no_header_could_carry_is_refused(cast: Cast, key: str) -> None:
    with workspace_scope(cast.workspace.id), pytest.raises(ValueError, match="printable ASCII"):
        set_provider_key(workspace=cast.workspace, provider=Provider.OPENAI, key=key)


def test_rotation_brings_every_workspaces_keys_under_the_first_key(
    cast: Cast, settings: Any
) -> None:
    old, new = settings.FIELD_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    for workspace in (cast.workspace, cast.elsewhere):
        with workspace_scope(workspace.id):
            set_provider_key(workspace=workspace, provider=Provider.OPENAI, key=SECRET)
            set_provider_key(workspace=workspace, provider=Provider.ANTHROPIC, key=SECRET)
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    assert rotate_provider_keys() == (4, [])
    assert rotate_provider_keys() == (0, [])
    settings.FIELD_ENCRYPTION_KEYS = [new]
    with workspace_scope(cast.workspace.id):
        assert provider_keys_for(cast.workspace) == {"openai": SECRET, "anthropic": SECRET}


def test_a_key_nobody_can_read_is_named_and_does_not_stop_the_others(
    cast: Cast, settings: Any
) -> None:
    with workspace_scope(cast.workspace.id):
        set_provider_key(workspace=cast.workspace, provider=Provider.OPENAI, key=SECRET)
        lost = set_provider_key(workspace=cast.workspace, provider=Provider.ANTHROPIC, key=SECRET)
        ProviderKey.objects.filter(id=lost.id).update(
            ciphertext=Fernet(Fernet.generate_key()).encrypt(b"gone")
        )
    settings.FIELD_ENCRYPTION_KEYS = [
        Fernet.generate_key().decode(),
        *settings.FIELD_ENCRYPTION_KEYS,
    ]
    out = StringIO()
    with pytest.raises(CommandError, match=f"anthropic of workspace {cast.workspace.id}"):
        call_command("rotate_field_keys", stdout=out)
    assert "Re-encrypted: 1." in out.getvalue()
    with workspace_scope(cast.workspace.id):
        assert provider_keys_for(cast.workspace) == {"openai": SECRET}
