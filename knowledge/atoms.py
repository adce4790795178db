"""What a cut leaves whole where it can be helped: sentences, lines of code, rows of a table."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from knowledge.blocks import Block

# A text without spaces may be one token of any length, so this many characters count as one too.
_CHARACTERS_A_TOKEN = 8
# Not before a lower-case letter: "e.g. this", "approx. ten".
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]*_]*\s+(?![a-z\s])|[。！？][”’」』）]*\s*")
_LINE_END = re.compile(r"\n+")
_SPACE = re.compile(r"\s+")


class Break(IntEnum):
    """How good a place to cut the start of an atom is."""

    WORD = 0
    SENTENCE = 1
    BLOCK = 2
    HEADING = 3


@dataclass(frozen=True, slots=True)
class Atom:
    start: int
    end: int
    tokens: int
    before: Break


def atoms_of(
    text: str, blocks: Sequence[Block], count_tokens: Callable[[str], int], *, longest: int
) -> list[Atom]:
    """They join without gaps to the whole text; none has more than `longest` tokens."""
    return [
        atom
        for start, end, before in _pieces(text, blocks)
        for atom in _cut(text, start, end, before, count_tokens, longest)
    ]


def _pieces(text: str, blocks: Sequence[Block]) -> Iterator[tuple[int, int, Break]]:
    after_heading = False
    for block in blocks:
        # What follows a heading belongs to it, so a cut between the two is the last resort.
        first = Break.WORD if after_heading else Break.BLOCK
        before = Break.HEADING if block.level and not after_heading else first
        ends = _SENTENCE_END if block.is_prose else _LINE_END
        found = (match.end() for match in ends.finditer(text, block.start, block.end))
        bounds = [block.start, *(end for end in found if end < block.end), block.end]
        for start, end in pairwise(bounds):
            yield start, end, before
            before = Break.SENTENCE
        after_heading = block.level > 0


def _cut(
    text: str,
    start: int,
    end: int,
    before: Break,
    count_tokens: Callable[[str], int],
    longest: int,
) -> Iterator[Atom]:
    tokens = max((end - start) // _CHARACTERS_A_TOKEN, 0)
    if tokens <= longest:
        tokens = max(tokens, count_tokens(text[start:end]))
    if tokens <= longest:
        yield Atom(start, end, tokens, before)
        return
    middle = _middle(text, start, end)
    yield from _cut(text, start, middle, before, count_tokens, longest)
    yield from _cut(text, middle, end, Break.WORD, count_tokens, longest)


def _middle(text: str, start: int, end: int) -> int:
    """Near the middle: after a line end if there is one, else after a space, else anywhere."""
    quarter = (end - start) // 4
    centre = (start + end) // 2
    for ends in (_LINE_END, _SPACE):
        found = [m.end() for m in ends.finditer(text, centre - quarter, centre + quarter)]
        if found:
            return min(found, key=lambda at: abs(at - centre))
    return centre
