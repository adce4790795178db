"""What the server says: a pure function of the request, so that a test can know it beforehand."""

import hashlib
import math
import re
from functools import cache
from typing import Any

# Accents, a dash and an emoji: a decoder that cuts UTF-8 wrongly shows.
_SAID = (
    "you set a clear goal and the first small step is already yours to take "
    "naïve café plans change – so keep what works 🌱 let go of what does not "
    "notice your breath name one win and ask what would make tomorrow lighter"
)
WORDS = _SAID.split()


def reply_tokens(prompt: str, count: int) -> list[str]:
    """`count` tokens; each carries its leading space but the first."""
    seed = int.from_bytes(hashlib.blake2b(prompt.encode(), digest_size=8).digest())
    words = [WORDS[(seed + i * 7 + i * i) % len(WORDS)] for i in range(count)]
    return [word if i == 0 else f" {word}" for i, word in enumerate(words)]


def reply_text(prompt: str, count: int) -> str:
    return "".join(reply_tokens(prompt, count))


def text_of(content: Any) -> str:
    """The text of a vendor's content field: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(text_of(part) for part in content)
    if isinstance(content, dict):
        return text_of(content.get("text") or content.get("content") or "")
    return ""


def last_prompt(body: dict[str, Any]) -> str:
    texts = [text_of(m["content"]) for m in body.get("messages", ()) if m.get("role") == "user"]
    return texts[-1] if texts else ""


def prompt_tokens(body: dict[str, Any]) -> int:
    """Four characters a token over the system prompt and every message."""
    characters = len(text_of(body.get("system", "")))
    characters += sum(len(text_of(m.get("content"))) for m in body.get("messages", ()))
    return math.ceil(characters / 4)


def sample_arguments(schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments that satisfy a flat JSON Schema."""
    properties: dict[str, Any] = schema.get("properties", {})
    return {name: _sample(prop) for name, prop in properties.items()}


def _sample(prop: dict[str, Any]) -> Any:
    if "enum" in prop:
        return prop["enum"][0]
    samples = {"string": "morning", "integer": 3, "number": 1.5, "boolean": True, "array": []}
    return samples.get(prop.get("type", "object"), {})


@cache
def _slot(word: str, dimensions: int) -> tuple[int, float]:
    digest = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
    return (digest >> 1) % dimensions, 1.0 if digest & 1 else -1.0


def embedding(text: str, dimensions: int) -> list[float]:
    """Words hashed into a unit vector: texts that share words are near each other."""
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [""]:
        slot, sign = _slot(word, dimensions)
        vector[slot] += sign
    norm = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / norm for x in vector]
