from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.passages import OVERLAP_TOKENS, PASSAGE_TOKENS, CutPassage, cut_passages
from opencoach.ai.embeddings import count_tokens, readable_tokens

SENTENCES = [f"This is sentence number {n}, and it says a little of its own." for n in range(120)]
PROSE = " ".join(SENTENCES)


def cut(text: str, title: str = "") -> list[CutPassage]:
    return list(
        cut_passages(
            text, title=title, count_tokens=count_tokens, readable_tokens=readable_tokens()
        )
    )


def words(text: str) -> str:
    return "".join(text.split())


def test_offsets_are_exact_and_nothing_is_lost() -> None:
    text = f"\n\n# One\n\n{PROSE}\n\n- a\n- b\n\n```\n# no heading\n```\n\n## Two\n{PROSE}\n\n"
    passages = cut(text)
    assert all(text[p.start : p.end] == p.text for p in passages)
    end = 0
    for passage in passages:
        assert not text[end : passage.start].strip()
        end = passage.end
    assert not text[end:].strip()


def test_a_passage_has_about_five_hundred_tokens() -> None:
    sizes = [count_tokens(passage.text) for passage in cut(PROSE)]
    assert max(sizes) <= PASSAGE_TOKENS
    assert min(sizes[:-1]) > PASSAGE_TOKENS * 0.9


def test_neighbours_overlap_by_whole_sentences() -> None:
    for one, next_one in pairwise(cut(PROSE)):
        shared = PROSE[next_one.start : one.end]
        assert 0 < count_tokens(shared) <= OVERLAP_TOKENS
        assert shared.startswith("This is")
        assert shared.endswith("of its own.")


def test_no_sentence_is_cut() -> None:
    assert all(p.text.endswith("of its own.") for p in cut(PROSE))


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    text = "Take something small, e.g. a walk, approx. ten minutes long, every day. " * 80
    assert all(p.text.endswith("every day.") for p in cut(text))


def test_a_section_begins_its_own_passage_and_shares_nothing() -> None:
    half = " ".join(SENTENCES[:25])
    text = f"# Book\n\n## First\n\n{half}\n\n## Second\n\n{half}\n\n## Third\n\n{half}"
    passages = cut(text)
    assert [p.heading for p in passages] == ["Book", "Book › Second", "Book › Third"]
    assert all(
        not text[a.end : b.start].strip() and a.end <= b.start for a, b in pairwise(passages)
    )


def test_a_heading_is_never_left_behind_by_its_section() -> None:
    text = "\n\n".join(f"## Part {n}\n\n{' '.join(SENTENCES[: n % 9 + 1])}" for n in range(60))
    assert all(not p.text.splitlines()[-1].startswith("#") for p in cut(text))


def test_both_kinds_of_headings_count_and_code_does_not() -> None:
    text = "Title\n=====\n\nPart\n----\n\n```\n# not a heading\n```\n\n### *Deep* one ###\n\nWords."
    assert cut(text)[0].heading == "Title"
    inside = cut(f"Title\n=====\n\n{PROSE}\n\nPart\n----\n\n```\n# not one\n```\n\n{PROSE}")
    assert {p.heading for p in inside} == {"Title", "Title › Part"}


def test_plain_text_needs_no_headings() -> None:
    assert [p.heading for p in cut("Just a note.\n\nAnd one more.")] == [""]


def test_each_window_is_read_whole_and_says_what_it_is_about() -> None:
    passages = cut(f"# Saying no\n\n{PROSE}", title="Boundaries")
    windows = [window for passage in passages for window in passage.windows]
    assert all(count_tokens(window) <= readable_tokens() for window in windows)
    assert all(window.startswith("Boundaries › Saying no\n") for window in windows)


def test_the_windows_of_a_passage_cover_it_in_about_equal_parts() -> None:
    for passage in cut(PROSE):
        assert words("".join(passage.windows)) == words(passage.text)
        sizes = [count_tokens(window) for window in passage.windows]
        assert max(sizes) < 1.5 * min(sizes)


def test_the_title_is_not_said_twice() -> None:
    assert cut("# Boundaries\n\nSay no.", title="Boundaries")[0].windows[0].count("Boundaries") == 2


def test_text_without_a_place_to_cut_is_cut_all_the_same() -> None:
    for text in ("x" * 20_000, "word " * 5_000, "無" * 3_000, "line\n" * 3_000):
        passages = cut(text)
        assert words("".join(w for p in passages for w in p.windows)).startswith(words(text)[:100])
        assert all(len(p.text) <= 8 * PASSAGE_TOKENS for p in passages)
        assert passages[-1].end == len(text.rstrip())


def test_white_space_has_no_passage() -> None:
    assert cut("") == cut(" \n\n\t ") == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(alphabet=st.characters(exclude_characters="\r\x00", codec="utf-8")),
            st.sampled_from(
                ["\n\n", "# ", "\n", "- ", "```\n", "> ", "| a | b |\n", PROSE, "===\n"]
            ),
        ),
        max_size=40,
    ).map("".join)
)
def test_any_text_is_covered_exactly(text: str) -> None:
    passages = cut(text, title="Any")
    end = 0
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
        assert not text[end : passage.start].strip()
        assert all(count_tokens(window) <= readable_tokens() for window in passage.windows)
        assert len(passage.windows) <= 8
        end = passage.end
    assert not text[end:].strip()
