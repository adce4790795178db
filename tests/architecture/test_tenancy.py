"""Row-level security is the second lock on every tenant table; here is what it holds."""

from uuid import uuid4

import pytest
from django.db import DatabaseError, ProgrammingError, connection, transaction
from django.db.models import Model

from opencoach.common.rls import every_workspace, no_workspace, workspace_scope
from tests.architecture.practice import ROWS, Practice, make_practice, our_models, tenant_models
from tests.architecture.sources import calls_of

# Tables of ours that belong to no workspace, and why that is right.
SHARED = {
    "accounts.user": "a person, who may belong to several workspaces; memberships say which",
    "accounts.user_groups": "Django's permissions: for platform admins only",
    "accounts.user_user_permissions": "Django's permissions: for platform admins only",
    "accounts.workspace": "the tenant itself: a slug and a name, found before there is a scope",
    "flags.flag": "a flag belongs to the platform; whom it is on for may name a user",
    "flags.flag_groups": "part of a flag",
    "flags.flag_users": "part of a flag",
    "usage.modelprice": "what a provider charges everybody",
}

# Who may lift the isolation or set the workspace, and why it cannot leak there.
SEES_EVERYTHING = {
    "opencoach.common.admin:PlatformSite.admin_view.across_workspaces": (
        "after the site's own check that a platform admin asks"
    ),
    "opencoach.accounts.access:_caller_from_api_key": (
        "one row, by the hash of 256 random bits: whoever has those is of that workspace"
    ),
    "opencoach.accounts.access:caller_from_user": "the signed-in person's own memberships",
    "opencoach.accounts.services:_erase_unneeded": "asks whether there is a row, and shows none",
    "opencoach.accounts.services:rotate_provider_keys": "a command; writes ciphertext only",
    "conversations.turns.runs:renew_leases": "renews by the ids of this process's own turns",
    "conversations.turns.sweep:expired_turns": "hands out ids with the workspace they belong to",
    "knowledge.services:resend_overdue_documents": "hands out ids with their workspace",
}
ENTERS_A_WORKSPACE = {
    "opencoach.accounts.access:_caller_from_api_key": "the key's own",
    "opencoach.accounts.access:_caller_from_client_token": "signed by us into the token",
    "opencoach.accounts.access:caller_from_user": "the person's own membership",
    "conversations.api.sending:_encoded": "that of the conversation the request was allowed",
    "conversations.live.consumers:LiveConsumer.connect": "the caller's own",
    "conversations.turns.engine:run_turn": "the turn's own",
}
IN_A_WORKSPACE = {
    "opencoach.accounts.services:create_coach": "that of the workspace it was given",
    "opencoach.accounts.services:create_api_key": "that of the workspace it was given",
    "opencoach.demo.practice:_make": "the workspace it has just made",
    "opencoach.ai.calls:_record": "that of the ledger rows it stores",
    "prompts_admin.routes:_read_own_choices": "that of the call it routes",
    "conversations.turns.sweep:reclaim": "that of each turn it found",
    "conversations.management.commands.chat:Command.handle": "the one named at the terminal",
    "knowledge.management.commands.ingest:Command.handle": "the one named at the terminal",
    "knowledge.tasks:ingest_document": "that of the document, from our own queue",
}

tenants = pytest.mark.parametrize("model", tenant_models(), ids=lambda model: model._meta.label)


@pytest.fixture
def practices(db: None) -> tuple[Practice, Practice]:
    with every_workspace("two practices, with a row of every model each"):
        return make_practice(1), make_practice(2)


def test_every_model_is_a_tenants_or_says_why_not() -> None:
    free = {model._meta.label_lower for model in our_models()} - {
        model._meta.label_lower for model in tenant_models()
    }
    assert free == set(SHARED), "give the model a workspace, or SHARED a reason"


def test_every_tenant_model_has_a_row_to_try() -> None:
    assert {model._meta.label_lower for model in tenant_models()} == set(ROWS), (
        "a new model needs its line in tests/architecture/practice.py"
    )


@tenants
def test_the_table_forces_one_policy_on_everyone(db: None, model: type[Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass",
            [model._meta.db_table],
        )
        assert cursor.fetchone() == (True, True), "add IsolateByWorkspace to its migration"
        cursor.execute(
            "SELECT policyname, permissive, roles, cmd, qual, with_check FROM pg_policies"
            " WHERE tablename = %s",
            [model._meta.db_table],
        )
        ((name, permissive, roles, command, condition, check),) = cursor.fetchall()
    assert (name, permissive, command) == ("workspace_isolation", "PERMISSIVE", "ALL")
    assert "public" in str(roles)
    assert "opencoach.scope" in condition
    assert check is None  # the condition above then holds for what is written too
    assert not model._meta.get_field("workspace").null


@tenants
def test_a_query_without_a_filter_sees_one_workspace(
    practices: tuple[Practice, Practice], model: type[Model]
) -> None:
    everything = model._base_manager.all
    for practice in practices:
        with workspace_scope(practice.workspace.id):
            assert {row.workspace_id for row in everything()} == {practice.workspace.id}  # type: ignore[attr-defined]
    with no_workspace():
        assert not everything().exists()
    with every_workspace("both are there to be seen"):
        seen = set(everything().values_list("pk", flat=True))
        assert seen >= {practice.row(model._meta.label_lower).pk for practice in practices}


@tenants
def test_a_foreign_row_can_be_neither_changed_nor_removed(
    practices: tuple[Practice, Practice], model: type[Model]
) -> None:
    here, there = practices
    foreign = model._base_manager.filter(pk=there.row(model._meta.label_lower).pk)
    with workspace_scope(here.workspace.id):
        assert foreign.update(workspace=here.workspace) == 0
        assert foreign._raw_delete(foreign.db) == 0  # type: ignore[attr-defined]
    with workspace_scope(there.workspace.id):
        assert foreign.count() == 1


@tenants
def test_a_row_for_another_workspace_is_refused(
    practices: tuple[Practice, Practice], model: type[Model]
) -> None:
    here, there = practices
    row = there.row(model._meta.label_lower)
    row.pk = uuid4()
    for scope in (workspace_scope(here.workspace.id), no_workspace()):
        with (
            scope,
            pytest.raises(ProgrammingError, match="row-level security"),
            transaction.atomic(),
        ):
            row.save(force_insert=True)


@tenants
def test_a_row_cannot_be_moved_to_another_workspace(
    practices: tuple[Practice, Practice], model: type[Model]
) -> None:
    here, there = practices
    own = model._base_manager.filter(pk=here.row(model._meta.label_lower).pk)
    with workspace_scope(here.workspace.id):
        with pytest.raises(DatabaseError), transaction.atomic():
            own.update(workspace=there.workspace)
        assert own.count() == 1


@pytest.mark.parametrize(
    ("function", "allowed"),
    [
        ("every_workspace", SEES_EVERYTHING),
        ("enter_workspace", ENTERS_A_WORKSPACE),
        ("workspace_scope", IN_A_WORKSPACE),
    ],
)
def test_who_sets_the_scope_is_on_a_list_with_reasons(
    function: str, allowed: dict[str, str]
) -> None:
    assert set(calls_of(function)) == set(allowed), (
        "add the caller with its reason, or drop it from the list"
    )


def test_nobody_sets_it_past_those_functions() -> None:
    setters = set(calls_of("_scoped")) | set(calls_of("set_config"))
    assert setters == {
        "opencoach.common.rls:workspace_scope",
        "opencoach.common.rls:every_workspace",
        "opencoach.common.rls:no_workspace",
    }
