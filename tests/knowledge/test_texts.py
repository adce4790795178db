import pytest

from knowledge.exceptions import EmptyText, NotText, TooMuchText
from knowledge.texts import MAX_CHARACTERS, clean, decode, title_from

WORDS = "Größe – naïve “quotes” €5"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_a_file_is_read_in_whatever_encoding_editors_write(encoding: str) -> None:
    assert decode(WORDS.encode(encoding)) == WORDS


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n\xe2\xe3\xcf\xd3\x00\x01",
        b"%PDF-1.7 in ASCII",
        rb"{\rtf1\ansi Words}",
        b"PK\x03\x04\x14\x00\x08\x00",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
        b"\xff\xfeodd",  # says UTF-16 and is not
        "no byte order mark".encode("utf-16-le"),
        b"text\x00text",
        b"\x81\x8d\xff",
    ],
)
def test_another_kind_of_file_is_named_as_such(data: bytes) -> None:
    with pytest.raises(NotText, match=r"upload \.txt or \.md"):
        decode(data)


def test_lines_end_alike_and_letters_are_composed() -> None:
    assert clean("a\r\nb\rc\u2028d\x0be\u0301") == "a\nb\nc\nd\n\u00e9"


def test_stray_control_characters_go_and_a_nul_is_refused() -> None:
    assert clean("a\x02b\x1bc") == "abc"
    with pytest.raises(NotText, match="NUL"):
        clean("a\x00b")


@pytest.mark.parametrize("text", ["", " \n\t", "---\n***", "\ufeff"])
def test_a_text_without_a_word_is_empty(text: str) -> None:
    with pytest.raises(EmptyText):
        clean(text)


def test_too_much_text_says_how_much_there_may_be() -> None:
    assert clean("a" * MAX_CHARACTERS)
    with pytest.raises(TooMuchText, match="2,000,001 characters and may have 2,000,000"):
        clean("a" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("pricing_a-retainer.md", "pricing a retainer"),
        ("Notes 1.2.TXT", "Notes 1.2"),
        ("README", "README"),
        (".md", "md"),
        ("a\x00b.txt", "ab"),
        ("x" * 300 + ".md", "x" * 200),
    ],
)
def test_a_files_name_makes_a_title(name: str, title: str) -> None:
    assert title_from(name).strip(".") == title
