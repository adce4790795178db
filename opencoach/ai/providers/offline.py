"""The provider that needs no network and no key: a deterministic coach for demos and tests.

It says only what it was given: the client's own words, sentences of the cited passages, and
coaching commonplaces. It knows nothing about the coach and so claims nothing.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opencoach.ai.providers import offline_phrases as phrases
from opencoach.ai.providers.base import ChatMessage, ChatRequest, Stop, StreamEvent, TextDelta

MIN_WORDS = 60
_ECHO_WORDS = 16
_QUOTE_WORDS = range(6, 33)
_PASSAGES_READ = 3

# "1.", "e.g." and initials end no sentence; a capital or a quote after the space begins one.
_SENTENCE_END = re.compile(
    r"(?<=[.!?…])(?<!\b[A-Z0-9]\.)(?<!e\.g\.)(?<!i\.e\.)\s+(?=[\"“A-ZÀ-ÞА-Я])"
)
_MARKUP = re.compile(r"^\s*(?:#{1,6}\s+|[-*•>]\s+|\d+[.)]\s+)|[*_`]{1,3}", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]{3,}")


class OfflineProvider:
    name = "offline"

    def __init__(self, word_delay_s: float = 0.015) -> None:
        self._word_delay_s = word_delay_s

    async def stream(self, request: ChatRequest) -> AsyncIterator[StreamEvent]:
        """Names no `Usage`: nobody bills for it."""
        for delta in re.findall(r"\s*\S+", coaching_answer(request)):
            await asyncio.sleep(self._word_delay_s)
            yield TextDelta(delta)
        yield Stop("end")

    async def aclose(self) -> None:
        """Holds nothing."""


def coaching_answer(request: ChatRequest) -> str:
    """60 to 120 words: what the client said, a cited sentence when there is one, one question."""
    said = _last_client_message(request.messages)
    choice = _Choice(f"{len(request.messages)}:{said}", _said_by_clone(request.messages))
    mood = phrases.mood_of(said)
    parts = [_opening(said, mood, choice)]
    # Nobody hands a workbook to the bereaved.
    if mood != "grieving" and (citation := _citation(said, request.context, choice)):
        parts.append(citation)
    question = _question(mood, request.context, choice)
    _fill(parts, mood, question, choice)
    return "\n\n".join([parts[0], " ".join(parts[1:]), question])


@dataclass(frozen=True, slots=True)
class _Choice:
    """Picks the same variant for the same conversation, and not one that it used before."""

    seed: str
    used: str

    def one_of(self, variants: Sequence[str]) -> str:
        fresh = [v for v in variants if not self._was_used(v)] or list(variants)
        digest = hashlib.blake2b(f"{self.seed}|{fresh[0]}".encode(), digest_size=4).digest()
        return fresh[int.from_bytes(digest) % len(fresh)]

    def _was_used(self, variant: str) -> bool:
        """A frame counts as used when all that stands around its placeholders was said."""
        return all(part in self.used for part in re.split(r"\{\w+\}", variant))


def _last_client_message(messages: Sequence[ChatMessage]) -> str:
    contents = (m.content for m in reversed(messages) if m.role == "user" and m.content.strip())
    return " ".join(next(contents, "").split())


def _said_by_clone(messages: Sequence[ChatMessage]) -> str:
    return "\n".join(m.content for m in messages if m.role == "assistant")


def _opening(said: str, mood: str, choice: _Choice) -> str:
    if mood == "arriving":
        return choice.one_of(phrases.MOODS[mood].reflections)
    if mood == "open" and len(said.split()) < 3:
        return choice.one_of(phrases.BRIEF)
    frames = phrases.ASKED if said.endswith("?") else phrases.TOLD
    echo = choice.one_of(frames).format(words=_shortened(said))
    return f"{echo} {choice.one_of(phrases.MOODS[mood].reflections)}"


def _shortened(said: str) -> str:
    """The client's own words, of a long message the last sentences: people end on the point."""
    sentences = _SENTENCE_END.split(said)
    kept = sentences[-1]
    for sentence in reversed(sentences[:-1]):
        if len(f"{sentence} {kept}".split()) > _ECHO_WORDS:
            break
        kept = f"{sentence} {kept}"
    if len(kept.split()) > _ECHO_WORDS:
        kept = _first_clauses(kept) + "…"
    return phrases.inner_quotes(kept.rstrip("."))


def _first_clauses(sentence: str) -> str:
    """At most _ECHO_WORDS, ending at a clause rather than in the middle of one if it can."""
    words = sentence.split()[:_ECHO_WORDS]
    for end in range(len(words) - 1, _ECHO_WORDS // 3, -1):
        if words[end - 1][-1] in ",;:–" or words[end].lower() in phrases.CLAUSE_STARTS:
            words = words[:end]
            break
    return " ".join(words).rstrip(",.;:!?–")


# Citing


def _citation(said: str, context: Mapping[str, Any], choice: _Choice) -> str:
    wanted = _content_words(said)
    passages = (context.get("passages") or [])[:_PASSAGES_READ]
    candidates = [
        (_fit(sentence, passage, wanted), passage, sentence)
        for passage in passages
        for sentence in _quotable_sentences(passage["text"])
    ]
    if not wanted or not candidates:
        return ""
    # Of equals max keeps the first: an early sentence of the passage that retrieval ranked first.
    _, passage, sentence = max(candidates, key=lambda candidate: candidate[0])
    frame = choice.one_of(phrases.CITED if passage.get("title") else phrases.CITED_UNTITLED)
    quote = phrases.inner_quotes(sentence)
    return frame.format(title=passage.get("title"), quote=quote, n=passage["n"])


def _quotable_sentences(text: str) -> list[str]:
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*(?:[-*•#>]|\d+[.)]))", text)
    plain = (" ".join(_MARKUP.sub("", paragraph).split()) for paragraph in paragraphs)
    sentences = [s.strip() for paragraph in plain for s in _SENTENCE_END.split(paragraph)]
    # A passage's own question would be a second one beside the question that ends the answer.
    return [s for s in sentences if len(s.split()) in _QUOTE_WORDS and s[-1] in ".!…"]


def _fit(sentence: str, passage: Mapping[str, Any], wanted: set[str]) -> float:
    """Shared words, fewer for a long sentence; a word of the title counts half."""
    words = _content_words(sentence)
    title = _content_words(str(passage.get("title") or ""))
    return len(words & wanted) / (len(words) ** 0.5 or 1) + len(title & wanted) / 2


def _content_words(text: str) -> set[str]:
    """Crude stems: enough to match "delegating" with "delegate"."""
    words = (word.lower() for word in _WORD.findall(text))
    return {word[:5] for word in words if word not in phrases.STOP_WORDS}


# Asking


def _question(mood: str, context: Mapping[str, Any], choice: _Choice) -> str:
    """The phase's own question when it has one that was not asked yet."""
    own = " ".join(str(context.get("question") or "").split())
    if own.endswith("?") and own not in choice.used:
        return own
    return choice.one_of(phrases.MOODS[mood].questions)


def _fill(parts: list[str], mood: str, question: str, choice: _Choice) -> None:
    """Adds sentences until the answer has MIN_WORDS, and one where there is no citation."""
    variants = [*phrases.MOODS[mood].offers]
    while variants and (len(parts) < 2 or _words([*parts, question]) < MIN_WORDS):
        offer = choice.one_of(variants)
        variants.remove(offer)
        parts.append(offer)


def _words(parts: list[str]) -> int:
    return sum(len(part.split()) for part in parts)
