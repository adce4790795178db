"""The door to embedders: text in, unit vectors out, so that an inner product is a cosine.

It is CPU work, about a millisecond for a question and 25 for a window of a passage: async code
calls it on a thread. Vectors of different embedders are never compared, so whoever stores one
stores `embedder_name` beside it.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from opencoach.ai.providers.local_embedder import local_embedder

Vector = NDArray[np.float32]
"""Of shape `(dimensions,)`."""


def embedder_name() -> str:
    return local_embedder().name


def readable_tokens() -> int:
    """How many tokens of a text the embedder reads; what comes after them is not in the vector."""
    return local_embedder().max_tokens - _marks()


def count_tokens(text: str) -> int:
    """By the embedder's own tokenizer, without the marks it puts at both ends of a text."""
    return local_embedder().count_tokens(text) - _marks()


def embed_query(text: str) -> Vector:
    vector: Vector = embed_texts([text])[0]
    return vector


def embed_texts(texts: Sequence[str]) -> NDArray[np.float32]:
    """One row a text, in their order."""
    return local_embedder().embed(texts)


@cache
def _marks() -> int:
    return local_embedder().count_tokens("")
