"""Bytes and strings into the text that is stored: offsets of passages count its characters."""

import codecs
import re
import unicodedata
from pathlib import PurePath

from knowledge.exceptions import EmptyText, NotText, TooMuchText

MAX_CHARACTERS = 2_000_000
SUFFIXES = {".txt", ".md", ".markdown"}

_OTHER_FORMATS = (b"%PDF-", b"{\\rtf")  # which may be ASCII throughout
# The longer mark first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def decode(data: bytes) -> str:
    """By its byte order mark, else UTF-8, else Windows-1252. Raises `NotText`."""
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
    try:
        text = data.decode(marked or "utf-8")
        strange = "\x00" in text or data.startswith(_OTHER_FORMATS)
    except UnicodeDecodeError:
        # Windows-1252 has a letter for nearly any byte; what no writer types tells them apart.
        text = data.decode("cp1252", errors="replace")
        strange = bool(marked or _CONTROL.search(text) or "\ufffd" in text)
    if strange:
        raise NotText("This is not a text file; upload .txt or .md.")
    return text


def clean(text: str) -> str:
    """As stored: lines end in `\\n`, letters are composed (NFC). Raises `DocumentRefused`."""
    if len(text) > MAX_CHARACTERS:
        raise TooMuchText(
            f"The text has {len(text):,} characters and may have {MAX_CHARACTERS:,}: split it."
        )
    if "\x00" in text:
        raise NotText("The text has NUL characters in it, which no text has; remove them.")
    text = _CONTROL.sub("", _LINE_ENDS.sub("\n", text)).strip("\ufeff")
    text = unicodedata.normalize("NFC", text)
    if not any(character.isalnum() for character in text):
        raise EmptyText("There is no text in it.")
    return text


def clean_title(title: str) -> str:
    return " ".join(_CONTROL.sub("", title).split())[:200] or "Untitled"


def title_from(name: str) -> str:
    """A file's name as a title: `pricing_a-retainer.md` is "pricing a retainer"."""
    path = PurePath(name)
    stem = path.stem if path.suffix.lower() in SUFFIXES else path.name
    return clean_title(re.sub(r"[_-]+", " ", stem))
