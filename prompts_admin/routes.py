"""Which models answer, in which order.

The workspace's own keys come first, then the installation's; of each Anthropic, OpenAI, Bedrock.
The offline clone answers only where nothing else is configured.
"""

import time
from uuid import UUID

from django.conf import settings

from opencoach.accounts.selectors import provider_keys_for
from opencoach.ai.providers.base import Credentials
from opencoach.ai.terms import ModelChoice
from opencoach.common.rls import workspace_scope

CACHE_SECONDS = 10
_CACHED_WORKSPACES = 2000
# An inference profile, which works in every region that has the model.
_BEDROCK_MODEL = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"

_own: dict[UUID, tuple[float, tuple[ModelChoice, ...]]] = {}


def route_for(action: str, workspace_id: UUID) -> tuple[ModelChoice, ...]:
    """The fallback chain for a call; never empty. A warm one costs no query."""
    chain = (*_own_choices(workspace_id), *installed_choices())
    return chain or (ModelChoice("offline", "offline", Credentials()),)


def forget_own_keys(workspace_id: UUID) -> None:
    """After a key changed; other processes notice within `CACHE_SECONDS`."""
    _own.pop(workspace_id, None)


def _own_choices(workspace_id: UUID) -> tuple[ModelChoice, ...]:
    cached = _own.get(workspace_id)
    if cached and cached[0] > time.monotonic():
        return cached[1]
    choices = _read_own_choices(workspace_id)
    if len(_own) >= _CACHED_WORKSPACES:
        _own.clear()
    _own[workspace_id] = (time.monotonic() + CACHE_SECONDS, choices)
    return choices


def _read_own_choices(workspace_id: UUID) -> tuple[ModelChoice, ...]:
    with workspace_scope(workspace_id):
        keys = provider_keys_for(workspace_id)
    models = {
        "anthropic": (settings.ANTHROPIC_MODEL, settings.ANTHROPIC_BASE_URL),
        "openai": (settings.OPENAI_MODEL, settings.OPENAI_BASE_URL),
    }
    return tuple(
        ModelChoice(name, model, Credentials(keys[name], base_url), own=True)
        for name, (model, base_url) in models.items()
        if name in keys
    )


def installed_choices() -> list[ModelChoice]:
    choices = []
    if settings.ANTHROPIC_API_KEY or settings.ANTHROPIC_BASE_URL:
        key = Credentials(settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL)
        choices.append(ModelChoice("anthropic", settings.ANTHROPIC_MODEL, key))
    if settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL:
        key = Credentials(settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL)
        choices.append(ModelChoice("openai", settings.OPENAI_MODEL, key))
    # A region alone is no choice: every host at AWS has one.
    if settings.BEDROCK_MODEL or settings.BEDROCK_BASE_URL:
        key = Credentials(settings.BEDROCK_API_KEY, settings.BEDROCK_BASE_URL, settings.AWS_REGION)
        model = settings.BEDROCK_MODEL or _BEDROCK_MODEL
        choices.append(ModelChoice("bedrock", model, key))
    return choices
