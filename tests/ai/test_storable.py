"""A model's words come in pieces, and some of them PostgreSQL could not hold."""

import pytest

from opencoach.ai.storable import StorableText, storable


@pytest.mark.parametrize(
    ("deltas", "whole"),
    [
        (["Hello", " there"], "Hello there"),
        (["\ud83c", "\udf31 grows"], "🌱 grows"),
        (["a\ud83c", "\udf31", "b"], "a🌱b"),
        (["half \ud83c", "then text"], "half \ufffdthen text"),
        (["\udf31 second half alone"], "\ufffd second half alone"),
        (["a\x00b"], "a\ufffdb"),
        (["naïve – 🌱"], "naïve – 🌱"),
    ],
)
def test_what_cannot_be_held_is_replaced_and_pairs_are_joined(
    deltas: list[str], whole: str
) -> None:
    text = StorableText()
    assert "".join(text.storable(delta) for delta in deltas) == whole
    whole.encode("utf-8")


def test_the_words_of_an_error_can_be_stored() -> None:
    assert storable("bad \x00 and \udc80") == "bad \ufffd and \ufffd"
