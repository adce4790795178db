import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser
from django.urls import reverse

from opencoach.accounts.models import ApiKey, Client, Provider, User
from opencoach.accounts.services import create_api_key, set_provider_key
from opencoach.common.admin import CappedPaginator
from opencoach.common.rls import current_scope, every_workspace, workspace_scope
from tests.conftest import PASSWORD, Cast

OURS = ("accounts", "conversations", "knowledge", "learning", "prompts_admin", "flags", "usage")


@pytest.fixture
def root(cast: Cast) -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    return browser


def test_every_list_shows_every_workspace_while_it_is_rendered(root: Browser) -> None:
    clients = root.get(reverse("admin:accounts_client_changelist")).content.decode()
    assert "dana" in clients
    assert "erin" in clients
    assert current_scope() == ""


@pytest.mark.parametrize("label", OURS)
def test_every_admin_page_of_ours_opens(root: Browser, label: str) -> None:
    for model, page in admin.site._registry.items():
        if model._meta.app_label != label:
            continue
        name = f"admin:{label}_{model._meta.model_name}"
        assert root.get(reverse(f"{name}_changelist"), {"q": "x"}).status_code == 200, name
        adds = 200 if page.has_add_permission(_request(root)) else 403
        assert root.get(reverse(f"{name}_add")).status_code == adds, name
        assert page.paginator is CappedPaginator, name
        assert page.show_full_result_count is False, name


def _request(browser: Browser):  # type: ignore[no-untyped-def]
    return browser.get(reverse("admin:index")).wsgi_request


def test_coaches_and_clients_have_no_business_here(cast: Cast) -> None:
    for person in (cast.alice, cast.dana):
        assert person.browser().get("/admin/", follow=True).status_code == 403
    nobody = Browser().get("/admin/accounts/client/", follow=True)
    assert nobody.redirect_chain[-1][0].startswith("/accounts/login/?next=")
    assert nobody.status_code == 200


def test_a_client_never_moves_to_another_workspace(root: Browser, cast: Cast) -> None:
    dana, charlie = cast.dana.client, cast.charlie.coach
    assert dana
    assert charlie
    address = reverse("admin:accounts_client_change", args=[dana.id])
    form = {"external_id": "dana", "name": "D", "email": "", "timezone": "UTC", "user": ""}
    refused = root.post(address, form | {"coach": str(charlie.id)})
    assert b"belongs to another workspace" in refused.content
    moved = form | {"coach": str(dana.coach_id), "workspace": str(cast.elsewhere.id)}
    assert root.post(address, moved).status_code == 302
    with every_workspace("to look"):
        dana.refresh_from_db()
    assert (dana.name, dana.workspace_id) == ("D", cast.workspace.id)


def test_revoking_keys_leaves_a_log_entry(root: Browser, cast: Cast) -> None:
    row, _ = create_api_key(workspace=cast.elsewhere, name="site")
    address = reverse("admin:accounts_apikey_changelist")
    root.post(address, {"action": "revoke", "_selected_action": [str(row.id)]})
    with every_workspace("to look"):
        assert ApiKey.objects.get(id=row.id).revoked_at is not None
    assert LogEntry.objects.get().object_id == str(row.id)
    root.post(address, {"action": "revoke", "_selected_action": [str(row.id)]})
    assert LogEntry.objects.count() == 1  # it was revoked already


def test_keys_are_not_shown(root: Browser, cast: Cast) -> None:
    with workspace_scope(cast.workspace.id):
        row = set_provider_key(
            workspace=cast.workspace, provider=Provider.OPENAI, key="sk-12345678"
        )
    page = root.get(reverse("admin:accounts_providerkey_change", args=[row.id])).content
    assert b"5678" in page
    assert b"12345" not in page
    assert bytes(row.ciphertext) not in page


def test_the_pages_of_a_list_count_to_a_limit(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CappedPaginator, "most", 1)
    with every_workspace("Dana and Erin"):
        assert CappedPaginator(Client.objects.order_by("id"), 1).count == 1
    assert CappedPaginator([1, 2, 3], 2).count == 3
