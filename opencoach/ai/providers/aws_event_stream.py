"""The binary `application/vnd.amazon.eventstream` framing that Bedrock streams in.

Uses botocore's frame parser alone. The SDK's decoder also loads botocore's service model, a quarter
of a second in the first request, and parses each event twice.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from opencoach.ai.providers.base import ProviderFault


class AWSEventStreamDecoder:
    def __init__(self) -> None:
        from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]

        self._buffer = EventStreamBuffer()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises ValueError on a broken frame and ProviderFault on an exception frame."""
        from botocore.eventstream import ParserError

        self._buffer.add_data(data)
        try:
            for message in self._buffer:
                if payload := _model_event(message.headers, message.payload):
                    yield payload
        except ParserError as error:
            raise ValueError(str(error)) from error


def _model_event(headers: dict[str, Any], payload: bytes) -> bytes:
    """Empty for an event that is not the model's."""
    if headers.get(":message-type") != "event":
        name = headers.get(":exception-type") or headers.get(":error-code") or "exception"
        detail = headers.get(":error-message") or payload.decode(errors="replace")
        raise ProviderFault("error_event", f"{name}: {detail[:300]}")
    if headers.get(":event-type") != "chunk":
        return b""
    try:
        return base64.b64decode(json.loads(payload)["bytes"])
    except (binascii.Error, KeyError, TypeError) as error:
        raise ValueError(f"a chunk without bytes: {error!r}") from error
