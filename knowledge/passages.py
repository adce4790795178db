"""Text or Markdown into passages, and passages into the windows that an embedder reads.

The text becomes atoms: sentences, lines of code, table rows, what is not cut where it can be
helped. Passages and windows are runs of atoms, so each knows its exact place in the text.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil

from knowledge.atoms import Atom, Break, atoms_of
from knowledge.blocks import Headings, blocks_of

PASSAGE_TOKENS = 500
OVERLAP_TOKENS = 60
# Title and heading path in front of a window may take so many of its tokens.
_PREFIX_TOKENS = 48


@dataclass(frozen=True, slots=True)
class CutPassage:
    """`text` is `document[start:end]`; `windows` cover it, each under its title and headings."""

    start: int
    end: int
    text: str
    heading: str
    windows: tuple[str, ...]


def cut_passages(
    text: str, *, title: str, count_tokens: Callable[[str], int], readable_tokens: int
) -> Iterator[CutPassage]:
    """Expects newlines to be `\\n`; `readable_tokens` is how much of a window the embedder reads.

    A text that is only white space has no passage.
    """
    blocks = blocks_of(text)
    headings = Headings(blocks)
    longest = min(readable_tokens - _PREFIX_TOKENS, PASSAGE_TOKENS // 2)
    for run in _runs(atoms_of(text, blocks, count_tokens, longest=longest)):
        start, end = _stripped(text, run[0].start, run[-1].end)
        if start < end:
            prefixes = _prefixes(title, headings, run, count_tokens)
            room = readable_tokens - max(map(count_tokens, prefixes.values()))
            windows = tuple(
                prefixes[headings.path_at(part[0].start)]
                + text[slice(*_stripped(text, part[0].start, part[-1].end))]
                for part in _evenly(run, room)
            )
            yield CutPassage(start, end, text[start:end], headings.path_at(start), windows)


def _runs(atoms: Sequence[Atom]) -> Iterator[Sequence[Atom]]:
    """As full as `PASSAGE_TOKENS` allows, ended at the best break of the second half."""
    before = [0, *accumulate(atom.tokens for atom in atoms)]  # tokens before atom i
    start = 0
    while start < len(atoms):
        full = bisect_right(before, before[start] + PASSAGE_TOKENS) - 1
        if full >= len(atoms):
            yield atoms[start:]
            return
        half = bisect_right(before, before[start] + PASSAGE_TOKENS // 2)
        end = max(range(half, full + 1), key=lambda i: (atoms[i].before, i))
        yield atoms[start:end]
        start = end
        while atoms[start].before < Break.HEADING and (
            before[end] - before[start - 1] <= OVERLAP_TOKENS
        ):
            start -= 1


def _evenly(run: Sequence[Atom], longest: int) -> list[Sequence[Atom]]:
    """Parts of about the same size: a short last one would say too little to be found."""
    whole = sum(atom.tokens for atom in run)
    # Atoms do not divide as numbers do, so it may take one part more than the division says.
    for parts in range(max(ceil(whole / longest), 1), len(run)):
        found = list(_filled(run, whole / parts, longest))
        if len(found) <= parts:
            return found
    return list(_filled(run, 0, longest))


def _filled(run: Sequence[Atom], aim: float, longest: int) -> Iterator[Sequence[Atom]]:
    start = tokens = 0
    for i, atom in enumerate(run):
        if i > start and (tokens >= aim or tokens + atom.tokens > longest):
            yield run[start:i]
            start, tokens = i, 0
        tokens += atom.tokens
    yield run[start:]


def _prefixes(
    title: str, headings: Headings, run: Sequence[Atom], count_tokens: Callable[[str], int]
) -> dict[str, str]:
    """For each heading path of the run: what a window under it is about, as its first line."""
    paths = {headings.path_at(atom.start) for atom in run}
    return {path: _prefix(title, path, count_tokens) for path in paths}


def _prefix(title: str, path: str, count_tokens: Callable[[str], int]) -> str:
    whole = path if path.startswith(title) else f"{title} › {path}".removesuffix(" › ")
    for words in (whole, path):
        if words and count_tokens(words) <= _PREFIX_TOKENS:
            return words + "\n"
    return ""


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
