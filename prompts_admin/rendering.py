"""Prompts as text: templates by key, rendered from plain data."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.template import Context, Engine, Template

PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    text: str
    version: str
    """Names the template that made it: its key and the start of its SHA-256."""


@cache
def _template(key: str) -> tuple[Template, str]:
    source = (PROMPTS / f"{key}.txt").read_text(encoding="utf-8")
    version = f"{key}@{hashlib.sha256(source.encode()).hexdigest()[:12]}"
    # An engine of its own: no loaders, no context processors, and no HTML escaping in a prompt.
    return Engine(autoescape=False).from_string(source), version


def render_reply_prompt(
    *,
    clone_name: str,
    coach_name: str,
    approach: str,
    client_name: str,
    note: str,
    passages: Sequence[tuple[str, str, str]],
) -> RenderedPrompt:
    """The system prompt of a reply; `passages` are (title, heading path, text), cited by place."""
    template, version = _template("reply")
    values = {
        "clone_name": clone_name,
        "coach_name": coach_name,
        "approach": approach,
        "client_name": client_name,
        "note": note,
        "passages": [
            {"title": title, "heading": heading, "text": text} for title, heading, text in passages
        ],
    }
    return RenderedPrompt(template.render(Context(values, autoescape=False)).strip(), version)
