"""Tool arguments arrive as JSON text that the model wrote, so they may be anything."""

import json
from typing import Any

from opencoach.ai.providers.base import ProviderFault


def parse_tool_arguments(tool: str, text: str) -> dict[str, Any]:
    """No text at all means no arguments. Raises ProviderFault("bad_tool_arguments")."""
    try:
        arguments = json.loads(text or "{}")
    except ValueError as error:
        raise ProviderFault("bad_tool_arguments", f"{tool}: {error}") from error
    if not isinstance(arguments, dict):
        raise ProviderFault("bad_tool_arguments", f"{tool}: not an object")
    return arguments
