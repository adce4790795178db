import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from django.utils.timezone import now

from knowledge import ingest
from knowledge.exceptions import EmptyText
from knowledge.ingest import MAX_ATTEMPTS, ingest_document
from knowledge.models import Document, Passage, PassageVector
from knowledge.services import add_document, delete_document, resend_overdue_documents
from knowledge.tasks import resume_documents
from opencoach.accounts.models import Coach
from opencoach.celery import app
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast
from tests.knowledge.conftest import RETAINER, Known

LONG = "\n\n".join(f"## Part {n}\n\n{RETAINER[40:]} It is number {n}." * 8 for n in range(6))


def alices(cast: Cast) -> Coach:
    assert cast.alice.coach
    return cast.alice.coach


def stored(document_id: UUID) -> list[tuple[int, int, int, int]]:
    """Each passage: position, place, and how many vectors it has."""
    return [
        (p.position, p.start, p.end, p.vectors.count())
        for p in Passage.objects.filter(document=document_id).order_by("position")
    ]


def test_a_document_becomes_passages_with_vectors(here: Cast, known: Known) -> None:
    document = known(alices(here), LONG)
    assert (document.status, document.progress, document.error) == ("ready", 100, "")
    assert document.passage_count == len(stored(document.id)) > 3
    assert all(vectors >= 1 for *_, vectors in stored(document.id))
    assert set(PassageVector.objects.values_list("coach", "embedder")) == {
        (alices(here).id, "all-minilm-l6-v2")
    }


def test_the_same_text_again_is_the_same_document(here: Cast, known: Known) -> None:
    document = known(alices(here), RETAINER)
    again, created = add_document(
        coach=alices(here), title="Other", text="\ufeff" + RETAINER.replace("\n", "\r\n")
    )
    assert (again.id, again.title, created) == (document.id, "Pricing", False)
    assert here.bob.coach
    assert add_document(coach=here.bob.coach, title="Mine", text=RETAINER)[1]


@pytest.mark.django_db(transaction=True)
def test_the_same_text_sent_at_once_is_stored_once(committed_cast: Cast) -> None:
    start = Barrier(4)

    def send(_: int) -> tuple[UUID, bool]:
        start.wait()
        try:
            with workspace_scope(committed_cast.workspace.id):
                document, created = add_document(
                    coach=alices(committed_cast), title="T", text=RETAINER
                )
                return document.id, created
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(send, range(4)))
    assert len({document_id for document_id, _ in results}) == 1
    assert sum(created for _, created in results) == 1


def test_reading_it_twice_changes_nothing(here: Cast, known: Known) -> None:
    document = known(alices(here), LONG)
    before = stored(document.id)
    ingest_document(document.id)
    Document.objects.update(status="queued")
    ingest_document(document.id)
    assert stored(document.id) == before


def test_a_document_in_somebodys_hands_is_left_alone(here: Cast) -> None:
    document, _ = add_document(coach=alices(here), title="T", text=RETAINER)
    Document.objects.update(status="processing", lease_until=now() + timedelta(minutes=1))
    ingest_document(document.id)
    assert stored(document.id) == []
    assert resend_overdue_documents() == 0


STAGES = {
    "taken up": "ingest._embed = stop",
    "embedded": "ingest._store = stop",
    "half stored": "PassageVector.objects.bulk_create = stop",
}
READER = """
import os, sys, django
django.setup()
from uuid import UUID
from knowledge import ingest
from knowledge.models import PassageVector
from opencoach.common.rls import workspace_scope
def stop(*args, **options):
    print("here", flush=True)
    sys.stdin.read()
{stage}
with workspace_scope({workspace!r}):
    ingest.ingest_document(UUID({document!r}))
"""


@pytest.fixture
def database_url() -> str:
    database = connection.settings_dict
    return (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST'] or 'localhost'}"
        f":{database['PORT'] or 5432}/{database['NAME']}"
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stage", STAGES)
def test_a_reader_killed_between_stages_leaves_nothing_half_done(
    committed_cast: Cast, database_url: str, stage: str
) -> None:
    with workspace_scope(committed_cast.workspace.id):
        document, _ = add_document(coach=alices(committed_cast), title="T", text=LONG)
        kill_a_reader_at(STAGES[stage], document, database_url)
        assert stored(document.id) == []
        assert Document.objects.get().status == "processing"
        assert resend_overdue_documents() == 0, "its lease is not over"
        Document.objects.update(lease_until=now() - timedelta(seconds=1))
        assert resend_overdue_documents() == 1
        ingest_document(document.id)
        document.refresh_from_db()
        assert (document.status, document.attempts) == ("ready", 2)
        assert document.passage_count == len(stored(document.id)) == len(set(stored(document.id)))


def kill_a_reader_at(stage: str, document: Document, database_url: str) -> None:
    script = READER.format(
        stage=stage, workspace=str(document.workspace_id), document=str(document.id)
    )
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "opencoach.settings",
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(settings.BASE_DIR),
    ) as reader:
        assert reader.stdout
        assert reader.stdout.readline() == b"here\n"
        reader.kill()


def test_a_reader_that_lost_its_lease_stores_nothing(
    here: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It slept, another one took the document up, and now it wakes."""
    document, _ = add_document(coach=alices(here), title="T", text=RETAINER)
    cut = ingest.cut_passages

    def slow_cut(*args: object, **options: object) -> object:
        Document.objects.update(attempts=2)
        return cut(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest, "cut_passages", slow_cut)
    ingest_document(document.id)
    assert stored(document.id) == []
    assert Document.objects.get().status == "processing"


def test_a_document_deleted_while_it_is_read_stays_deleted(
    here: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, _ = add_document(coach=alices(here), title="T", text=RETAINER)
    cut = ingest.cut_passages

    def slow_cut(*args: object, **options: object) -> object:
        delete_document(document)
        return cut(*args, **options)  # type: ignore[arg-type]

    document_id = document.id
    monkeypatch.setattr(ingest, "cut_passages", slow_cut)
    ingest_document(document_id)
    assert not Document.objects.exists()
    assert not Passage.objects.exists()


def test_what_breaks_says_so_on_the_document_and_may_be_tried_again(
    here: Cast, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> object:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(ingest, "cut_passages", broken)
        document = known(alices(here))
    assert (document.status, document.progress) == ("failed", 0)
    assert "reprocess" in document.error
    again, created = add_document(coach=alices(here), title="T", text=RETAINER)
    assert (again.id, created, again.status, again.error) == (document.id, False, "queued", "")
    ingest_document(document.id)
    assert Document.objects.get().status == "ready"


def test_a_document_that_kills_its_readers_is_given_up(here: Cast) -> None:
    document, _ = add_document(coach=alices(here), title="T", text=RETAINER)
    Document.objects.update(attempts=MAX_ATTEMPTS)
    ingest_document(document.id)
    document.refresh_from_db()
    assert document.status == "failed"
    assert f"{MAX_ATTEMPTS} times" in document.error


def test_overdue_documents_of_every_workspace_are_sent_again_once(cast: Cast) -> None:
    for person in (cast.alice, cast.charlie):
        assert person.coach
        with workspace_scope(person.coach.workspace_id):
            add_document(coach=person.coach, title="T", text=RETAINER)
            Document.objects.update(lease_until=now() - timedelta(seconds=1))
    assert (resume_documents(), resume_documents()) == (2, 0)


def test_a_text_without_a_word_is_not_stored(here: Cast) -> None:
    with pytest.raises(EmptyText):
        add_document(coach=alices(here), title="T", text=" \n ")
    assert not Document.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_worker_reads_what_was_stored(committed_cast: Cast) -> None:
    """Through the broker, as in production: the message names the workspace and the document."""
    with app.connection_for_write() as broker:
        queue = broker.SimpleQueue(settings.CELERY_TASK_DEFAULT_QUEUE)
        queue.clear()
        with workspace_scope(committed_cast.workspace.id):
            document, _ = add_document(coach=alices(committed_cast), title="T", text=RETAINER)
        message = queue.get(timeout=10)
        message.ack()
        queue.close()
    args, kwargs, _ = message.payload
    app.tasks[message.headers["task"]](*args, **kwargs)
    with workspace_scope(committed_cast.workspace.id):
        assert Document.objects.get(id=document.id).status == "ready"
