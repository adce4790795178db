"""Which models are asked: the workspace's own keys first, the offline clone last and alone."""

from typing import Any

import pytest

from opencoach.accounts.models import ProviderKey
from opencoach.accounts.secrets import encrypt
from opencoach.common.rls import workspace_scope
from prompts_admin.routes import forget_own_keys, route_for
from tests.conftest import Cast


@pytest.fixture
def none_configured(settings: Any) -> Any:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL",
                 "AWS_REGION", "BEDROCK_BASE_URL", "BEDROCK_API_KEY"):  # fmt: skip
        setattr(settings, name, "")
    return settings


def chain(cast: Cast) -> list[tuple[str, str]]:
    return [(c.provider, c.credentials.api_key) for c in route_for("reply", cast.workspace.id)]


def own_key(cast: Cast, provider: str, secret: str) -> None:
    with workspace_scope(cast.workspace.id):
        ProviderKey.objects.create(
            workspace=cast.workspace, provider=provider, ciphertext=encrypt(secret), hint="…"
        )
    forget_own_keys(cast.workspace.id)


def test_with_nothing_configured_the_offline_clone_answers(
    cast: Cast, none_configured: Any
) -> None:
    assert chain(cast) == [("offline", "")]


def test_own_keys_come_before_the_installations(cast: Cast, none_configured: Any) -> None:
    none_configured.OPENAI_API_KEY = "installed"
    none_configured.ANTHROPIC_API_KEY = "installed"
    none_configured.AWS_REGION = "eu-west-1"
    none_configured.BEDROCK_MODEL = "eu.anthropic.claude"
    own_key(cast, "openai", "own")
    assert chain(cast) == [
        ("openai", "own"),
        ("anthropic", "installed"),
        ("openai", "installed"),
        ("bedrock", ""),
    ]
    assert [c.own for c in route_for("reply", cast.workspace.id)] == [True, False, False, False]


def test_a_compatible_server_needs_only_an_address(cast: Cast, none_configured: Any) -> None:
    none_configured.OPENAI_BASE_URL = "http://127.0.0.1:11434/v1"
    assert chain(cast) == [("openai", "")]


def test_a_warm_route_costs_no_query(cast: Cast, django_assert_num_queries: Any) -> None:
    route_for("reply", cast.workspace.id)
    with django_assert_num_queries(0):
        route_for("reply", cast.workspace.id)


def test_a_key_that_no_longer_decrypts_is_passed_over(
    cast: Cast, none_configured: Any, settings: Any
) -> None:
    own_key(cast, "openai", "own")
    settings.FIELD_ENCRYPTION_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    forget_own_keys(cast.workspace.id)
    assert chain(cast) == [("offline", "")]


def test_a_choice_never_shows_its_key(cast: Cast, none_configured: Any) -> None:
    own_key(cast, "anthropic", "sk-very-secret")
    assert "sk-very-secret" not in repr(route_for("reply", cast.workspace.id))
