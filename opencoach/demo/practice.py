"""Lindqvist Coaching: loaded once; a later run keeps whatever has become of it."""

from pathlib import Path

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction

from knowledge.services import add_document
from opencoach.accounts.models import Client, Coach, Role, User, Workspace
from opencoach.accounts.services import (
    change_client,
    create_client,
    create_coach,
    create_workspace,
)
from opencoach.accounts.views import DEMO_PEOPLE, DEMO_WORKSPACE
from opencoach.common.rls import workspace_scope

TEXTS = Path(__file__).parent / "texts"
ADMIN, COACH, CLIENT = DEMO_PEOPLE

GREETING = (
    "Hi, good to have you here. I'm Maya's clone: I know how she works and what she teaches, and "
    "she reads along and steps in when it matters. What is on your mind today?"
)
APPROACH = """\
I coach people who lead other people, most of them in their first five years of it. I ask before \
I advise: usually one good question, never three at once. I say back what I heard in a sentence, \
in the client's own words, before I offer anything of mine.

I am warm and direct, and I write the way I speak: short sentences, no jargon, no exclamation \
marks. I would rather sit with a hard feeling for a moment than hurry to fix it. When someone is \
stuck I look for the smallest step they could take before Friday, and I ask how they will know \
that it worked. I celebrate what they did, not what they are.

I do not diagnose, and I do not give legal, medical or money advice. When someone sounds unsafe \
or worn out beyond a bad week, I say so kindly and bring in a human."""


def load(password: str) -> bool:
    """Makes the demo practice if there is none, and sees that `password` opens it.

    Returns whether this call made it. All or nothing: what a killed start left half done is not
    there.
    """
    with transaction.atomic():
        workspace = Workspace.objects.filter(slug=DEMO_WORKSPACE).first()
        if workspace is None:
            _make(make_password(password))
            return True
    _set_password(password)
    return False


def _make(hashed: str) -> None:
    workspace = create_workspace(slug=DEMO_WORKSPACE, name="Lindqvist Coaching")
    _person(ADMIN, "Platform admin", hashed, is_staff=True, is_superuser=True)
    coach = create_coach(
        workspace=workspace,
        user=_person(COACH, "Maya Lindqvist", hashed, timezone="Europe/Stockholm"),
        role=Role.OWNER,
        clone_name="Maya's clone",
        greeting=GREETING,
        approach=APPROACH,
    )
    with workspace_scope(workspace.id):
        _client(coach, _person(CLIENT, "Jonas Berg", hashed, timezone="Europe/Stockholm"))
        _texts(coach)


def _person(email: str, name: str, hashed: str, **fields: object) -> User:
    """The demo people share one password, and so may share its hash: hashing is slow on purpose.

    Somebody who had this address before the demo came keeps their name and their password.
    """
    user, _ = User.objects.get_or_create(
        email=email, defaults={"name": name, "password": hashed, **fields}
    )
    return user


def _client(coach: Coach, user: User) -> Client:
    client, _ = create_client(
        coach=coach,
        external_id="jonas",
        name=user.display_name,
        email=user.email,
        timezone=user.timezone,
    )
    return change_client(client=client, changes={"user": user})


def _texts(coach: Coach) -> None:
    for path in sorted(TEXTS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        add_document(coach=coach, title=_title_of(text, path), text=text)


def _title_of(text: str, path: Path) -> str:
    first = text.lstrip().partition("\n")[0]
    return first.removeprefix("# ").strip() if first.startswith("# ") else path.stem


def _set_password(password: str) -> None:
    """They were given it together, so one tells for all: a check costs a third of a second."""
    coach = User.objects.filter(email=COACH).first()
    if coach is not None and not check_password(password, coach.password):
        people = User.objects.filter(email__in=DEMO_PEOPLE)
        # Who is no admin had this address before the demo came: their password is their own.
        people.exclude(email=ADMIN, is_staff=False).update(password=make_password(password))
