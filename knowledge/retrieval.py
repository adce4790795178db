"""The one way out of the knowledge: the passages of a coach that answer a question, with scores.

- **Whose.** One coach's passages, in one workspace; the filter says so and the policy sees to it.
- **What is compared.** The question's vector with that of every window of every passage of the
  coach that the same embedder made, exactly: no index loses a small practice's passages. A passage
  is as near as its nearest window, and the passage is what comes back, whole, once.
- **Which documents.** Passages appear when their document has been read, all at once; while it is
  read again the old ones stay until the new ones are there.
- **The score** is between 0 and 1 and rises with the cosine of question and window: see `score_of`.
  `min_score` drops what is under it, so a question about something else finds nothing.
- **Nothing known, nothing paid.** A coach without passages costs one look at an index, and no
  embedding.

`search` does it all. To put the look-up into a database hop of its own, call `embed` on any thread
(a millisecond of CPU) and `nearest` where the connection is.
"""

import math
import time
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from knowledge.models import PassageVector
from opencoach.ai import embeddings

# For a reply, a passage too many costs less than the one that was missed.
MIN_SCORE = 0.5
TOP_K = 5
# A passage has two windows or three, rarely more: so many windows hold `top_k` passages.
_WINDOWS_A_PASSAGE = 8

# Fitted once (`score_of` says on what).
_HALF = 0.32
_SLOPE = 20.0

# `<#>` is the negative inner product: of unit vectors, the cosine with its sign turned. The inner
# query is the whole cost; the workspace is tested on the few rows that come out of it.
_MOST_KNOWN = 10_000
_known: dict[UUID, float] = {}
"""Coaches who have passages, and until when (monotonic clock) that is taken for granted."""

_NEAREST = """
SELECT found.distance, passage.id, document.id, document.title, passage.heading,
       passage.start, passage."end", passage.text
FROM (
    SELECT passage_id, min(distance) AS distance
    FROM (
        SELECT passage_id, embedding <#> %(vector)s::halfvec AS distance
        FROM knowledge_passagevector
        WHERE coach_id = %(coach_id)s AND embedder = %(embedder)s
        ORDER BY distance
        LIMIT %(windows)s
    ) AS nearest_windows
    WHERE distance <= %(furthest)s
    GROUP BY passage_id
    ORDER BY distance
    LIMIT %(top_k)s
) AS found
JOIN knowledge_passage AS passage ON passage.id = found.passage_id
JOIN knowledge_document AS document ON document.id = passage.document_id
WHERE document.workspace_id = %(workspace_id)s
ORDER BY found.distance, passage.id
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage as it may be cited: `text` is what stands at `start` to `end` of the document."""

    score: float
    passage_id: UUID
    document_id: UUID
    title: str
    heading: str
    start: int
    end: int
    text: str


def search(
    *,
    workspace_id: UUID,
    coach_id: UUID,
    query: str,
    top_k: int = TOP_K,
    min_score: float = MIN_SCORE,
) -> list[Found]:
    """The best first; at most `top_k`. A blank query finds nothing."""
    if not query.strip() or not has_passages(workspace_id=workspace_id, coach_id=coach_id):
        return []
    return nearest(
        embed(query),
        workspace_id=workspace_id,
        coach_id=coach_id,
        top_k=top_k,
        min_score=min_score,
    )


def has_passages(*, workspace_id: UUID, coach_id: UUID) -> bool:
    """A yes is remembered for a minute: where it has become a no, a search finds nothing."""
    if _known.get(coach_id, 0.0) > time.monotonic():
        return True
    found = PassageVector.objects.filter(workspace_id=workspace_id, coach_id=coach_id).exists()
    if found:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[coach_id] = time.monotonic() + 60
    return found


def embed(query: str) -> embeddings.Vector:
    return embeddings.embed_query(query)


def nearest(
    vector: embeddings.Vector,
    *,
    workspace_id: UUID,
    coach_id: UUID,
    top_k: int = TOP_K,
    min_score: float = MIN_SCORE,
) -> list[Found]:
    """One query. `vector` is what `embed` made of the question."""
    with connection.cursor() as cursor:
        cursor.execute(
            _NEAREST,
            {
                "vector": _as_text(vector),
                "workspace_id": workspace_id,
                "coach_id": coach_id,
                "embedder": embeddings.embedder_name(),
                "furthest": -_cosine_of(min_score),
                "top_k": top_k,
                "windows": top_k * _WINDOWS_A_PASSAGE,
            },
        )
        return [Found(score_of(-distance), *passage) for distance, *passage in cursor.fetchall()]


def _as_text(vector: embeddings.Vector) -> str:
    """Four digits are what half precision keeps; pgvector's own writer takes four times as long."""
    return "[" + ",".join(["%.4g"] * len(vector)) % tuple(vector.tolist()) + "]"


def score_of(cosine: float) -> float:
    """How likely a passage this near answers, had the chances been even before one looked.

    A logistic curve, fitted for all-MiniLM-L6-v2: on one side questions (472 of Chroma's chunking
    evaluation) and chat messages (61 on the demo texts) with the nearest passage that answers, on
    the other those questions with the nearest passage of texts on other subjects, small talk, and
    requests to a shop, each kind with equal weight. At 0.7, a cosine of 0.36, 95 % of the
    answering passages pass for a question and 64 % for a chat message, and 4 % of the others; at
    0.5, a cosine of 0.32, it is 97 %, 70 % and 8 %.
    """
    return 1 / (1 + math.exp(-_SLOPE * (cosine - _HALF)))


def _cosine_of(score: float) -> float:
    """The inverse; a score of 0 or 1 is out of any cosine's reach."""
    if not 0 < score < 1:
        return math.copysign(2, score - 0.5)
    return _HALF + math.log(score / (1 - score)) / _SLOPE
