import os
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client as Browser

from knowledge.models import Document
from opencoach import demo
from opencoach.accounts.access import caller_from_user
from opencoach.accounts.models import Client, Coach, User, Workspace
from opencoach.common.rls import every_workspace, workspace_scope
from opencoach.demo.practice import TEXTS

pytestmark = pytest.mark.django_db


def can_log_in(email: str, password: str) -> bool:
    return Browser().login(username=email, password=password)


def test_the_demo_practice_has_its_people_and_its_texts() -> None:
    assert demo.load("a demo password") is True
    workspace = Workspace.objects.get(slug="demo")
    with workspace_scope(workspace.id):
        coach, client = Coach.objects.get(), Client.objects.get()
        documents = list(Document.objects.all())
    assert (workspace.name, coach.name, client.name) == (
        "Lindqvist Coaching",
        "Maya Lindqvist",
        "Jonas Berg",
    )
    assert coach.greeting
    assert coach.approach
    assert len(documents) == len(list(TEXTS.glob("*.md"))) > 0
    kinds = {}
    for email in ("admin@example.com", "coach@example.com", "client@example.com"):
        assert can_log_in(email, "a demo password")
        caller = caller_from_user(User.objects.get(email=email))
        kinds[email] = (caller.kind, caller.is_owner) if caller else None
    assert kinds == {
        "admin@example.com": None,
        "coach@example.com": ("coach", True),
        "client@example.com": ("client", False),
    }
    assert User.objects.get(email="admin@example.com").is_superuser


def test_a_second_load_keeps_what_has_become_of_it() -> None:
    demo.load("a demo password")
    with every_workspace("the demo's own"):
        Coach.objects.update(name="Maya L.")
        Document.objects.order_by("id").first().delete()  # type: ignore[union-attr]
        left = Document.objects.count()
    assert demo.load("a demo password") is False
    with every_workspace("the demo's own"):
        assert Coach.objects.get().name == "Maya L."
        assert Document.objects.count() == left


def test_a_new_password_is_set() -> None:
    demo.load("the first password")
    demo.load("the second password")
    assert can_log_in("coach@example.com", "the second password")
    assert not can_log_in("coach@example.com", "the first password")


def test_the_command_takes_the_password_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(os.environ, "OPENCOACH_ADMIN_PASSWORD", "from outside")
    out = StringIO()
    call_command("load_demo", stdout=out)
    call_command("load_demo", stdout=out)
    assert "Loaded" in out.getvalue().splitlines()[0]
    assert can_log_in("client@example.com", "from outside")


def test_somebody_who_had_the_address_before_becomes_no_admin() -> None:
    User.objects.create_user("admin@example.com", "their own", name="Somebody")
    demo.load("a demo password")
    demo.load("another one")
    somebody = User.objects.get(email="admin@example.com")
    assert not somebody.is_staff
    assert can_log_in("admin@example.com", "their own")
