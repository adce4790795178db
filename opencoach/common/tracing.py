"""One trace id from the request through socket, turn, Celery and ledger.

It is 32 hex digits, the trace-id of W3C Trace Context: a caller's `traceparent` is taken over,
else one is made. structlog's context variables carry it into every log line.
"""

import re
import secrets

import structlog

_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")


def new_trace_id() -> str:
    return secrets.token_hex(16)


def trace_id_from(traceparent: str) -> str:
    found = _TRACEPARENT.match(traceparent.strip().lower())
    if found and set(found[1]) != {"0"}:
        return found[1]
    return new_trace_id()


def current_trace_id() -> str:
    """The trace this work belongs to; work that belongs to none starts one."""
    trace_id = structlog.contextvars.get_contextvars().get("trace_id")
    return str(trace_id) if trace_id else bind_trace_id(new_trace_id())


def bind_trace_id(trace_id: str) -> str:
    structlog.contextvars.bind_contextvars(trace_id=trace_id)
    return trace_id
