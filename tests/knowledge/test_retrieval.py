from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from knowledge.models import Document, Passage, PassageVector
from knowledge.retrieval import embed, nearest, score_of, search
from knowledge.services import delete_document, reprocess_document
from opencoach.ai.embeddings import embed_texts
from opencoach.common.rls import workspace_scope
from tests.conftest import Cast
from tests.knowledge.conftest import RETAINER, SLEEP, Known

QUESTION = "How do I price a retainer?"
FILLER = "The garden was quiet that morning, and nobody thought of work at all. "


def found(cast: Cast, query: str = QUESTION, **options: Any) -> list[str]:
    assert cast.alice.coach
    return [
        passage.title
        for passage in search(
            workspace_id=cast.workspace.id, coach_id=cast.alice.coach.id, query=query, **options
        )
    ]


def test_the_passage_that_answers_comes_first_with_where_it_stands(
    here: Cast, known: Known
) -> None:
    known(here.alice.coach, SLEEP, "Sleep")
    document = known(here.alice.coach)
    assert here.alice.coach
    best, *_ = search(
        workspace_id=here.workspace.id, coach_id=here.alice.coach.id, query=QUESTION, min_score=0
    )
    assert (best.document_id, best.title) == (document.id, "Pricing")
    assert best.heading == "Pricing a retainer"
    assert document.text[best.start : best.end] == best.text
    assert 0.9 < best.score <= 1


def test_the_second_half_of_a_passage_is_found_too(here: Cast, known: Known) -> None:
    """The embedder reads half of it: what stands at its end is in the vector of a later window."""
    document = known(
        here.alice.coach, FILLER * 25 + "The retainer costs its highest floor.", "Garden"
    )
    known(here.alice.coach, FILLER * 25, "Only a garden")
    assert document.passage_count == 1
    assert found(here, "highest floor of a retainer", min_score=0, top_k=1) == ["Garden"]


def test_only_the_coachs_own_passages_are_found(here: Cast, known: Known) -> None:
    known(here.bob.coach)
    assert found(here, min_score=0) == []
    known(here.alice.coach, SLEEP, "Sleep")
    assert found(here, min_score=0) == ["Sleep"]


def test_another_practices_coach_is_no_way_in(cast: Cast, known: Known) -> None:
    known(cast.charlie.coach)
    assert cast.charlie.coach
    there = cast.charlie.coach.id
    with workspace_scope(cast.workspace.id):
        assert search(workspace_id=cast.workspace.id, coach_id=there, query=QUESTION) == []
        assert search(workspace_id=cast.elsewhere.id, coach_id=there, query=QUESTION) == []
    with workspace_scope(cast.elsewhere.id):
        assert search(workspace_id=cast.elsewhere.id, coach_id=there, query=QUESTION)
        assert search(workspace_id=cast.workspace.id, coach_id=there, query=QUESTION) == []


def test_a_question_about_something_else_finds_nothing(here: Cast, known: Known) -> None:
    known(here.alice.coach)
    for query in ("hello!", "What is the capital of Mongolia?", "thanks, see you", " "):
        assert found(here, query) == []


def test_a_passage_is_found_once_however_many_windows_match(here: Cast, known: Known) -> None:
    known(here.alice.coach, "A retainer has a price and a rhythm. " * 40)
    assert PassageVector.objects.count() > Passage.objects.count() == 1
    assert found(here, min_score=0) == ["Pricing"]


def test_the_scan_is_exact(here: Cast, known: Known) -> None:
    """The same passages, in the same order, as every cosine worked out by hand."""
    assert here.alice.coach
    texts = [
        f"{FILLER} Session {n} is about {subject}."
        for n, subject in enumerate(
            ["money", "sleep", "fear", "delegation", "a price", "children", "a boss", "a decision"]
            * 4
        )
    ]
    for text in texts:
        known(here.alice.coach, text, title=text[-60:])
    question = embed(QUESTION)
    titles = [text[-60:] for text in texts]
    cosines = embed_texts(
        [f"{' '.join(t.split())}\n{x}" for t, x in zip(titles, texts, strict=True)]
    )
    expected = sorted((cosines @ question).tolist(), reverse=True)[:7]
    result = nearest(
        question,
        workspace_id=here.workspace.id,
        coach_id=here.alice.coach.id,
        top_k=7,
        min_score=0,
    )
    assert [p.score for p in result] == pytest.approx([score_of(c) for c in expected], abs=0.005)


def test_the_score_rises_with_the_cosine_and_min_score_is_its_inverse(
    here: Cast, known: Known
) -> None:
    assert [round(score_of(c), 2) for c in (-1, 0.32, 0.362, 0.43, 1)] == [0, 0.5, 0.7, 0.9, 1]
    known(here.alice.coach)
    known(here.alice.coach, SLEEP, "Sleep")
    assert here.alice.coach
    all_of_it = search(
        workspace_id=here.workspace.id, coach_id=here.alice.coach.id, query=QUESTION, min_score=0
    )
    for passage in all_of_it:
        assert passage.title in found(here, min_score=passage.score - 1e-6)
        assert passage.title not in found(here, min_score=passage.score + 1e-6)


def test_a_search_is_two_queries_and_an_empty_knowledge_one(
    here: Cast, known: Known, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert found(here) == []
    known(here.alice.coach)
    with django_assert_num_queries(2):
        assert found(here) == ["Pricing"]


def test_vectors_of_another_embedder_are_never_compared(here: Cast, known: Known) -> None:
    known(here.alice.coach)
    PassageVector.objects.update(embedder="another-model")
    assert found(here, min_score=0) == []


def test_old_passages_stay_until_the_new_ones_are_there(here: Cast, known: Known) -> None:
    document = known(here.alice.coach)
    reprocess_document(document)
    assert document.status == "queued"
    assert found(here) == ["Pricing"]


def test_nothing_of_a_deleted_document_is_found(here: Cast, known: Known) -> None:
    delete_document(known(here.alice.coach))
    assert found(here, min_score=0) == []
    assert not Passage.objects.exists()
    assert not PassageVector.objects.exists()


def test_without_a_scope_there_is_nothing_to_find(cast: Cast, known: Known) -> None:
    known(cast.alice.coach)
    assert found(cast, min_score=0) == []
    assert not Document.objects.exists()


def test_a_question_in_any_characters_is_a_question(here: Cast, known: Known) -> None:
    known(here.alice.coach, RETAINER)
    for query in ("🙂" * 500, "\ud83d", "x" * 100_000, str(uuid4())):
        found(here, query)
