"""A Markdown text's blocks and headings, each at its character offset.

Plain text is Markdown of paragraphs, so there is one way for both.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

PATH_LENGTH = 300
# Blocks are all we need; leaving inline mark-up unread makes it ten times as fast.
_markdown = MarkdownIt("commonmark").enable("table").disable("inline")
_PROSE = {"paragraph_open", "heading_open"}
_LEAVES = _PROSE | {"fence", "code_block", "html_block", "tr_open"}


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item, code block or table row, up to where the next begins."""

    start: int
    end: int
    is_prose: bool
    """False where lines have a meaning: code, tables."""
    heading: str = ""
    level: int = 0
    """1 to 6 for a heading, else 0."""


def blocks_of(text: str) -> list[Block]:
    """They join without gaps to the whole text."""
    lines = _line_starts(text)
    found: dict[int, tuple[Token, str]] = {}
    tokens = _markdown.parse(text)
    for token, following in pairwise([*tokens, Token("", "", 0)]):
        if token.type in _LEAVES and token.map:
            found.setdefault(lines[token.map[0]], (token, following.content))
    if not found:  # nothing but rules, link definitions or white space
        return [Block(0, len(text), True)]
    first, *others = sorted(found)
    bounds = [0, *others, len(text)]
    return [
        _block(start, end, *found[at])
        for at, (start, end) in zip([first, *others], pairwise(bounds), strict=True)
    ]


def _block(start: int, end: int, token: Token, content: str) -> Block:
    # A heading inside a quotation or a list is not one of the text's own.
    if token.type == "heading_open" and token.level == 0:
        return Block(start, end, True, content.strip("*_` "), int(token.tag[1:]))
    return Block(start, end, token.type in _PROSE)


def _line_starts(text: str) -> list[int]:
    starts, at = [0], text.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = text.find("\n", at + 1)
    return starts


class Headings:
    """Which headings a place in the text is under."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._starts: list[int] = []
        self._paths: list[str] = []
        above: list[Block] = []
        for block in blocks:
            if block.level:
                above = [*(other for other in above if other.level < block.level), block]
                self._starts.append(block.start)
                self._paths.append(" › ".join(other.heading for other in above)[:PATH_LENGTH])

    def path_at(self, offset: int) -> str:
        """`Pricing › The retainer › In three steps`; empty above the first heading."""
        found = bisect_right(self._starts, offset)
        return self._paths[found - 1] if found else ""
