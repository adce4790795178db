"""The coach's profile, the practice's name, and its keys: to model providers and to our API."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from conversations.pages.forms import ApiKeyForm, ProfileForm, ProviderKeyForm, WorkspaceForm
from conversations.pages.shell import caller_of, coach_page, owner_page, shell, workspace_of
from opencoach.accounts import services
from opencoach.accounts.access import Caller
from opencoach.accounts.models import ApiKey, Coach, Provider, ProviderKey, User
from opencoach.accounts.scopes import ALL_SCOPES, Scope
from prompts_admin.routes import forget_own_keys


@coach_page
@require_GET
def settings(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, *, status: int = 200, **changed: Any) -> HttpResponse:
    """The whole page; `changed` replaces a form by one with errors, or shows a new key."""
    caller = caller_of(request)
    context = shell(request, "settings")
    if caller.coach_id:
        context["profile_form"] = ProfileForm(instance=_coach(caller))
    if caller.may(Scope.SETTINGS_WRITE):
        context |= {
            "can_manage": True,
            "workspace_form": WorkspaceForm(instance=workspace_of(caller), prefix="workspace"),
            "provider_keys": _provider_keys(caller),
            "api_keys": _api_keys(caller),
            "api_key_form": ApiKeyForm(prefix="key"),
        }
    return render(request, "coach/settings.html", context | changed, status=status)


def _coach(caller: Caller) -> Coach:
    assert caller.coach_id, "pages for coaches only let coaches in"
    return Coach.objects.get(id=caller.coach_id)


def _provider_keys(caller: Caller) -> list[dict[str, str]]:
    rows = ProviderKey.objects.filter(workspace_id=caller.workspace_id)
    last4 = {row.provider: row.hint for row in rows}
    return [
        {"provider": value, "label": label, "last4": last4.get(value, "")}
        for value, label in Provider.choices
    ]


def _api_keys(caller: Caller) -> list[dict[str, Any]]:
    rows = ApiKey.objects.filter(workspace_id=caller.workspace_id, revoked_at=None)
    return [
        {
            "id": key.id,
            "name": key.name,
            "hint": key.hint,
            "scopes": "all scopes" if set(key.scopes) == ALL_SCOPES else ", ".join(key.scopes),
            "created_at": key.created_at,
        }
        for key in rows.order_by("-created_at")
    ]


@coach_page
@require_POST
def save_profile(request: HttpRequest) -> HttpResponse:
    caller = caller_of(request)
    if caller.coach_id is None:
        raise PermissionDenied
    form = ProfileForm(request.POST, instance=_coach(caller))
    if not form.is_valid():
        return _page(request, status=422, profile_form=form)
    services.change_coach(coach=_coach(caller), changes=form.cleaned_data)
    messages.success(request, "Saved. New conversations start with it at once.")
    return redirect("pages:settings")


@owner_page
@require_POST
def save_workspace(request: HttpRequest) -> HttpResponse:
    caller = caller_of(request)
    form = WorkspaceForm(request.POST, instance=workspace_of(caller), prefix="workspace")
    if not form.is_valid():
        return _page(request, status=422, workspace_form=form)
    services.change_workspace(workspace=workspace_of(caller), changes=form.cleaned_data)
    messages.success(request, "Saved.")
    return redirect("pages:settings")


@owner_page
@require_POST
def create_api_key(request: HttpRequest) -> HttpResponse:
    """Answers with the page itself, not with a redirect: the key is then stored nowhere."""
    form = ApiKeyForm(request.POST, prefix="key")
    if not form.is_valid():
        return _page(request, status=422, api_key_form=form)
    assert isinstance(request.user, User)
    row, key = services.create_api_key(
        workspace=workspace_of(caller_of(request)),
        name=form.cleaned_data["name"],
        created_by=request.user,
    )
    return _page(request, status=201, new_key=key, new_key_name=row.name)


@owner_page
@require_POST
def revoke_api_key(request: HttpRequest, key_id: UUID) -> HttpResponse:
    found = ApiKey.objects.filter(workspace_id=caller_of(request).workspace_id)
    key = get_object_or_404(found, id=key_id)
    services.revoke_api_key(key=key)
    messages.success(request, f"“{key.name}” is revoked.")
    return redirect("pages:settings")


@owner_page
@require_POST
def set_provider_key(request: HttpRequest, provider: str) -> HttpResponse:
    chosen = _provider(provider)
    form = ProviderKeyForm(request.POST)
    try:
        secret = form.cleaned_data["secret"] if form.is_valid() else ""
        services.set_provider_key(
            workspace=workspace_of(caller_of(request)), provider=chosen, key=secret
        )
    except ValueError as error:
        messages.error(request, str(error))
    else:
        forget_own_keys(caller_of(request).workspace_id)
        messages.success(request, f"The {chosen.label} key is in use from now on.")
    return redirect("pages:settings")


@owner_page
@require_POST
def remove_provider_key(request: HttpRequest, provider: str) -> HttpResponse:
    chosen = _provider(provider)
    services.remove_provider_key(workspace=workspace_of(caller_of(request)), provider=chosen)
    forget_own_keys(caller_of(request).workspace_id)
    messages.success(request, f"The {chosen.label} key is removed.")
    return redirect("pages:settings")


def _provider(value: str) -> Provider:
    if value not in Provider.values:
        raise Http404
    return Provider(value)
