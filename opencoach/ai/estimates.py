"""Token counts for calls whose provider named none.

Four characters a token: OpenAI's and Anthropic's own rule of thumb for English. Other scripts use
more tokens a character, so what is estimated stays marked as such (`LedgerEntry.estimated`).
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from opencoach.ai.providers.base import ChatMessage, ChatRequest

CHARACTERS_PER_TOKEN = 4


def tokens_of(characters: int) -> int:
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def prompt_tokens(request: ChatRequest) -> int:
    characters = len(request.system) + sum(map(_characters, request.messages))
    characters += sum(
        len(tool.name) + len(tool.description) + json_characters(tool.parameters)
        for tool in request.tools
    )
    return tokens_of(characters)


def _characters(message: ChatMessage) -> int:
    return (
        len(message.content)
        + sum(len(call.name) + json_characters(call.arguments) for call in message.tool_calls)
        + sum(len(result.content) for result in message.tool_results)
    )


def json_characters(value: Mapping[str, Any]) -> int:
    return len(json.dumps(value, default=str))
