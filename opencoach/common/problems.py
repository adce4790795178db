"""Errors as RFC 9457 problem documents: what went wrong, and what to change."""

from typing import Any

import redis.exceptions
import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from psycopg_pool import PoolTimeout
from rest_framework import exceptions, status
from rest_framework.response import Response

from opencoach.common.tracing import current_trace_id

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
_TITLES = {
    400: "The request is not valid",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    429: "Too many requests",
    500: "Something went wrong on our side",
    503: "Not available right now",
}


class Conflict(exceptions.APIException):
    """The request is fine, and what it asks for does not go with the state of things."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


def problem(
    status_code: int, detail: str, *, code: str = "", errors: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": f"urn:opencoach:problem:{code or status_code}",
        "title": _TITLES.get(status_code, "Error"),
        "status": status_code,
        "detail": detail,
        "trace_id": current_trace_id(),
    }
    return body | ({"errors": errors} if errors else {})


def problem_response(status_code: int, detail: str, *, code: str = "") -> JsonResponse:
    body = problem(status_code, detail, code=code)
    return JsonResponse(body, status=status_code, content_type=CONTENT_TYPE)


def unavailable() -> tuple[type[Exception], ...]:
    """The errors that mean a server we need is away, and not that the request was wrong."""
    return (OperationalError, InterfaceError, PoolTimeout, redis.exceptions.ConnectionError)


def unavailable_response(error: Exception) -> JsonResponse:
    log.error("unavailable", error=repr(error))
    response = problem_response(
        503,
        "A server we depend on is away. Nothing you sent before is lost; try again in a moment.",
        code="unavailable",
    )
    response["Retry-After"] = "2"
    return response


def field_errors(detail: Any, path: str = "") -> list[dict[str, str]]:
    """DRF's nested validation detail as a flat list of `field`, `code`, `message`."""
    if isinstance(detail, dict):
        parts = [(f"{path}.{key}" if path else str(key), value) for key, value in detail.items()]
        return [error for name, value in parts for error in field_errors(value, name)]
    if isinstance(detail, list):
        return [error for value in detail for error in field_errors(value, path)]
    code = getattr(detail, "code", "invalid")
    return [{"field": path or "body", "code": code, "message": str(detail)}]


def problem_handler(exc: Exception, context: dict[str, Any]) -> Response | JsonResponse | None:
    """DRF's `EXCEPTION_HANDLER`."""
    if isinstance(exc, Http404):
        exc = exceptions.NotFound("There is nothing here that you may see.")
    if isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied(str(exc) or None)
    if isinstance(exc, RequestDataTooBig):
        exc = TooLarge("This body is too large to be read whole: send less at once.")
    if isinstance(exc, SuspiciousOperation):
        exc = exceptions.ParseError(str(exc) or None)
    if isinstance(exc, unavailable()):
        return unavailable_response(exc)
    if not isinstance(exc, exceptions.APIException):
        return None
    response = Response(_body(exc), status=exc.status_code, content_type=CONTENT_TYPE)
    if header := getattr(exc, "auth_header", None):
        response["WWW-Authenticate"] = header
    if (wait := getattr(exc, "wait", None)) is not None:  # of `Throttled`
        response["Retry-After"] = str(int(wait) + 1)
    return response


def _body(exc: exceptions.APIException) -> dict[str, Any]:
    if isinstance(exc, exceptions.ValidationError):
        errors = field_errors(exc.detail)
        fields = ", ".join(dict.fromkeys(error["field"] for error in errors))
        return problem(exc.status_code, f"Please correct: {fields}.", code="invalid", errors=errors)
    code = getattr(exc.detail, "code", exc.default_code)
    return problem(exc.status_code, str(exc.detail), code=str(code))


def server_error(request: HttpRequest) -> JsonResponse:
    """`handler500` of the API's addresses."""
    return problem_response(500, "The error was logged; quote the trace id when you ask about it.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return problem_response(404, "There is nothing at this address.")
