"""What the SDKs and their HTTP client raise, in the words of ProviderFault."""

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from opencoach.ai.providers.base import FaultKind, ProviderFault

_DETAIL_LENGTH = 300
_KINDS: dict[int, FaultKind] = {
    401: "auth",
    403: "auth",
    408: "timeout",
    409: "server_error",  # OpenAI: a lock that was held; its own SDK retries it
    424: "server_error",  # Bedrock: the model itself failed
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}


def fault_of(error: Exception) -> ProviderFault:
    """`error` is any exception of the OpenAI or Anthropic SDK, raised before a stream began."""
    response = getattr(error, "response", None)
    if isinstance(response, httpx2.Response):
        return _status_fault(error, response)
    if isinstance(error.__cause__, httpx2.HTTPError):
        return connection_fault(error.__cause__)
    if error.__cause__ is not None:
        return ProviderFault("connect", repr(error.__cause__)[:_DETAIL_LENGTH])
    return ProviderFault("bad_request", str(error)[:_DETAIL_LENGTH])


def connection_fault(error: httpx2.HTTPError) -> ProviderFault:
    detail = f"{type(error).__name__} {error}".strip()[:_DETAIL_LENGTH]
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return ProviderFault("connect", detail)
    if isinstance(error, httpx2.TimeoutException):
        return ProviderFault("timeout", detail)
    if isinstance(error, httpx2.DecodingError):
        return ProviderFault("bad_chunk", detail)
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return ProviderFault("bad_request", detail)
    return ProviderFault("cut", detail)


def _status_fault(error: Exception, response: httpx2.Response) -> ProviderFault:
    status = response.status_code
    kind = _KINDS.get(status) or ("server_error" if status >= 500 else "bad_request")
    # A key without credit answers 429 too, and no retry of it ever succeeds.
    if getattr(error, "code", None) == "insufficient_quota":
        kind = "auth"
    return ProviderFault(
        kind,
        str(getattr(error, "message", error))[:_DETAIL_LENGTH],
        status=status,
        retry_after_s=retry_after_s(response.headers),
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """None when the vendor named no wait, or none that can be read."""
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _seconds(value)
    return seconds if seconds is not None or value is None else _seconds_until(value)


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except ValueError:
        return None


def error_event(error: Any) -> ProviderFault:
    """`error` is what the vendor's error event carries: an object, or a bare string."""
    if isinstance(error, dict):
        kind = error.get("type") or error.get("code") or "error"
        error = f"{kind}: {error.get('message', '')}"
    return ProviderFault("error_event", str(error)[:_DETAIL_LENGTH])
