"""The cast every test shares, and the servers they play on."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.test import Client as Browser

from opencoach.accounts.models import Client, Coach, Membership, Role, User, Workspace
from opencoach.common.rls import every_workspace, no_workspace

pytest_plugins = ["tests.model_server.fixtures", "tests.live"]

PASSWORD = "correct horse battery"


@dataclass
class Person:
    user: User
    coach: Coach | None = None
    client: Client | None = None

    def browser(self) -> Browser:
        """A signed-in HTTP client without a browser around it."""
        browser = Browser()
        browser.force_login(self.user)
        return browser


@dataclass
class Cast:
    """Alice owns the practice, Bob is her teammate, Charlie coaches elsewhere, Dana is coached."""

    workspace: Workspace
    elsewhere: Workspace
    alice: Person
    bob: Person
    charlie: Person
    dana: Person
    erin: Person
    """Charlie's client."""


class QuickHasher(PBKDF2PasswordHasher):
    """The real one, less patient: guessing these passwords is no secret's loss."""

    iterations = 1_000


def pytest_configure() -> None:
    settings.PASSWORD_HASHERS = ["tests.conftest.QuickHasher"]


@cache
def _password_hash() -> str:
    return make_password(PASSWORD)


def _user(name: str) -> User:
    return User.objects.create(
        email=f"{name.lower()}@example.com", name=name, password=_password_hash()
    )


def _coach(workspace: Workspace, name: str, role: str) -> Person:
    user = _user(name)
    membership = Membership.objects.create(workspace=workspace, user=user, role=role)
    coach = Coach.objects.create(
        workspace=workspace, membership=membership, name=name, clone_name=f"{name}'s clone"
    )
    return Person(user, coach=coach)


def _client(coach: Coach, name: str) -> Person:
    user = _user(name)
    client = Client.objects.create(
        workspace_id=coach.workspace_id,
        coach=coach,
        external_id=name.lower(),
        name=name,
        user=user,
    )
    return Person(user, client=client)


def make_cast() -> Cast:
    with every_workspace("the cast lives in two workspaces"):
        here = Workspace.objects.create(slug="here", name="Alice's practice")
        elsewhere = Workspace.objects.create(slug="elsewhere", name="Charlie's practice")
        alice = _coach(here, "Alice", Role.OWNER)
        bob = _coach(here, "Bob", Role.COACH)
        charlie = _coach(elsewhere, "Charlie", Role.OWNER)
        assert alice.coach and charlie.coach
        return Cast(
            here,
            elsewhere,
            alice,
            bob,
            charlie,
            _client(alice.coach, "Dana"),
            _client(charlie.coach, "Erin"),
        )


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def committed_cast(transactional_db: None) -> Cast:
    """The cast as other connections and processes see it."""
    return make_cast()


@pytest.fixture(autouse=True)
def _no_scope_leaks() -> Iterator[None]:
    with no_workspace():
        yield
