"""The real model: nothing here is a fake, and nothing needs Django."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from opencoach.ai.providers import local_embedder as module
from opencoach.ai.providers.local_embedder import MODEL_FOLDER, LocalEmbedder, local_embedder

TEXTS = [
    "I keep putting off the talk with my boss.",
    "Yes.",
    "My goal for this quarter is to delegate more and to stop working at weekends.",
    "",
    "Bake the bread at 220 degrees for forty minutes, then let it cool on a rack. " * 12,
]


@pytest.fixture(scope="module")
def embedder() -> LocalEmbedder:
    return LocalEmbedder()


def cosine(embedder: LocalEmbedder, a: str, b: str) -> float:
    left, right = embedder.embed([a, b])
    return float(left @ right)


@pytest.mark.parametrize(
    ("text", "similar", "unrelated"),
    [
        (
            "I feel stuck in my career.",
            "My job is going nowhere.",
            "Bake the bread for forty minutes.",
        ),
        ("How do I sleep better?", "Tips against insomnia", "Quarterly revenue rose by 4 percent."),
        ("Can we move our session?", "I need to reschedule", "The heart pumps blood."),
    ],
)
def test_similar_sentences_score_above_unrelated_ones(
    embedder: LocalEmbedder, text: str, similar: str, unrelated: str
) -> None:
    near = cosine(embedder, text, similar)
    assert near > cosine(embedder, text, unrelated) + 0.2


def test_output_is_one_unit_vector_a_text(embedder: LocalEmbedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_rows(embedder: LocalEmbedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_a_text_has_the_same_vector_whatever_comes_with_it(embedder: LocalEmbedder) -> None:
    together = embedder.embed(TEXTS)
    backwards = embedder.embed(TEXTS[::-1])
    alone = [embedder.embed([text])[0] for text in TEXTS]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, backwards[::-1])


def test_threads_that_share_it_get_what_one_thread_gets() -> None:
    fresh = LocalEmbedder()  # The first use, and so the load, is contested too.
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: fresh.embed(TEXTS), range(16)))
    np.testing.assert_array_equal(answers, [fresh.embed(TEXTS)] * 16)


def test_threads_that_come_first_together_load_the_model_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loads: list[int] = []
    load = module._session

    def counted_load(intra_op_num_threads: int) -> Any:
        loads.append(intra_op_num_threads)
        return load(intra_op_num_threads)

    monkeypatch.setattr(module, "_session", counted_load)
    fresh = LocalEmbedder(intra_op_num_threads=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fresh.count_tokens, TEXTS * 4))
    assert loads == [2]


def test_long_text_is_truncated_to_what_the_model_reads(embedder: LocalEmbedder) -> None:
    head = "word " * (embedder.max_tokens - 2)  # Two tokens are the start and end marks.
    assert embedder.count_tokens(head) == embedder.max_tokens
    assert cosine(embedder, head, head + "and something else entirely") == pytest.approx(1)
    assert cosine(embedder, head, "and something else entirely " + head) < 0.999


def test_a_megabyte_is_cut_before_it_is_tokenised(embedder: LocalEmbedder) -> None:
    megabyte = "goal setting " * 80_000
    assert embedder._input_ids(megabyte).shape == (1, embedder.max_tokens)
    assert cosine(embedder, megabyte, megabyte[:20_000]) == pytest.approx(1)


def test_the_longest_words_still_fill_the_model(embedder: LocalEmbedder) -> None:
    """What the cut in characters must not lose: tokens of as many characters as one can have."""
    words = ("x" * 99 + " ") * 300
    assert embedder._input_ids(words).shape == (1, embedder.max_tokens)


def test_token_counts_are_not_cut(embedder: LocalEmbedder) -> None:
    assert embedder.count_tokens("") == 2
    assert embedder.count_tokens("coaching") == 3
    assert embedder.count_tokens("goal " * 1000) == 1002


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "\x00",
        "half an emoji \ud83d",
        "\udc00",
        "\ud83d\ude00",
        "😀" * 400,
        "\ufffe",
        "目標",
    ],
)
def test_odd_text_does_not_crash(embedder: LocalEmbedder, text: str) -> None:
    assert embedder.count_tokens(text) >= 2
    assert np.linalg.norm(embedder.embed([text])[0]) == pytest.approx(1, abs=1e-5)


def test_asking_for_the_embedder_loads_nothing_and_using_it_imports_no_framework() -> None:
    script = """
import sys
from opencoach.ai.providers.local_embedder import local_embedder
embedder = local_embedder()
assert embedder.name == "all-minilm-l6-v2"
assert not {"onnxruntime", "tokenizers"} & set(sys.modules)
embedder.embed(["hello"])
assert {"onnxruntime", "tokenizers"} <= set(sys.modules)
assert not {"torch", "transformers", "sentence_transformers", "django"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_process_has_one_embedder() -> None:
    assert local_embedder() is local_embedder()


@pytest.mark.parametrize("name", ["model_int8.onnx", "tokenizer.json"])
def test_the_readme_names_the_files_that_are_shipped(name: str) -> None:
    digest = hashlib.sha256((MODEL_FOLDER / name).read_bytes()).hexdigest()
    assert f"| `{name}` | `{digest}` |" in (MODEL_FOLDER / "README.md").read_text()
