from collections.abc import Callable, Iterator

import pytest

from knowledge.ingest import ingest_document
from knowledge.models import Document
from knowledge.services import add_document
from opencoach.accounts.models import Coach
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast

Known = Callable[..., Document]

RETAINER = """# Pricing a retainer

A retainer is a promise of attention over time, and never a bundle of hours at a discount.

## The Three Floors

Work out the bread floor, the swap floor and the worth floor. The highest of the three is the price.
"""
SLEEP = """# Sleeping well

Go to bed at the same hour each night, and keep every screen out of the bedroom.
"""


@pytest.fixture
def here(cast: Cast) -> Iterator[Cast]:
    """The cast, seen from inside Alice's and Bob's workspace."""
    with workspace_scope(cast.workspace.id):
        yield cast


@pytest.fixture
def known(cast: Cast) -> Known:
    """Stores a text for a coach and reads it at once."""

    def make(coach: Coach | None, text: str = RETAINER, title: str = "Pricing") -> Document:
        assert coach
        with workspace_scope(coach.workspace_id):
            document, _ = add_document(coach=coach, title=title, text=text)
            ingest_document(document.id)
            document.refresh_from_db()
        return document

    return make
