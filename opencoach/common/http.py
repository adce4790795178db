"""What every HTTP request gets: a trace id, strict JSON, pages, and 503 when a server is away."""

import codecs
import json
import re
import time
from collections.abc import Callable
from typing import IO, Any, NoReturn

import structlog
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, NotFound, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import JSONParser

from opencoach.common.problems import unavailable, unavailable_response
from opencoach.common.tracing import bind_trace_id, trace_id_from

log = structlog.get_logger(__name__)


class TraceMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        structlog.contextvars.clear_contextvars()
        trace_id = bind_trace_id(trace_id_from(request.headers.get("traceparent", "")))
        started = time.perf_counter()
        response = self.get_response(request)
        response["X-Trace-Id"] = trace_id
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            latency_ms=round((time.perf_counter() - started) * 1000, 1),
        )
        return response


class AvailabilityMiddleware:
    """Views that lost the database or Redis answer 503, so that callers try again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, unavailable()):
            return None
        response: HttpResponse = unavailable_response(error)
        if request.accepts("text/html") and not request.path.startswith("/api/"):
            page = render(request, "503.html", status=503)
            page["Retry-After"] = response["Retry-After"]
            return page
        return response


def no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class StrictJSONParser(JSONParser):
    """JSON as RFC 8259 has it: one object or array, UTF-8, no NaN, no lone surrogates."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        try:
            text = codecs.decode(stream.read(), "utf-8")
            return check_json(json.loads(text, parse_constant=no_constant))
        except RecursionError:
            raise ParseError("This JSON is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"This is not JSON: {error}") from None


def check_json(value: Any) -> Any:
    """Returns `value`; raises `ValueError` where a string cannot be stored as UTF-8 text."""
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


class JSONAlways(DefaultContentNegotiation):
    """An `Accept` that we cannot meet gets JSON rather than 406 (RFC 9110, 12.5.1 allows it)."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return (renderers[0], renderers[0].media_type)


class StrictSerializer(serializers.Serializer[Any]):
    """What a plain one lets pass in silence is an error: unknown fields, and `5` for `"5"`."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (errors := self._unknown(data) or self._wrong_types(data)):
            raise serializers.ValidationError(errors)
        return super().to_internal_value(data)

    def _unknown(self, data: dict[Any, Any]) -> dict[str, ErrorDetail]:
        known = ", ".join(self.fields) or "none"
        error = ErrorDetail(f"Unknown field; known are: {known}.", code="unknown_field")
        return {name[:80]: error for name in sorted({*map(str, data)} - {*self.fields})[:20]}

    def _wrong_types(self, data: dict[Any, Any]) -> dict[str, ErrorDetail]:
        if isinstance(data, QueryDict):  # a form or a query, where everything is text
            return {}
        return {
            name: ErrorDetail(f"Must be a {wanted}.", code="invalid")
            for name, field in self.fields.items()
            for fields, wrong, wanted in _TYPES
            if isinstance(field, fields) and isinstance(data.get(name), wrong)
        }


_TYPES = (
    (serializers.CharField, (int, float), "text"),
    ((serializers.IntegerField, serializers.FloatField), (str, bool), "number"),
)


class Choice(serializers.ChoiceField):
    """Says what there is to choose from, and not again what was sent."""

    default_error_messages = {"invalid_choice": "Must be one of: {choices}."}

    def fail(self, key: str, **values: Any) -> NoReturn:
        super().fail(key, choices=", ".join(map(str, self.choices)), **values)


class Pages(CursorPagination):
    """`results`, `next`, `previous`; `?limit=` up to 100."""

    page_size = 20
    page_size_query_param = "limit"
    page_size_query_description = "How many at most: 1 to 100."
    cursor_query_description = "As `next` and `previous` have it."
    max_page_size = 100
    ordering = "-id"  # keys are ordered by time

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        # What the cursor holds is the caller's: it may be no position at all.
        except (NotFound, ValueError, ValidationError):
            raise serializers.ValidationError(
                {"cursor": "This is not a cursor of this list: follow `next` and `previous`."}
            ) from None

    def get_page_size(self, request: Any) -> int:
        given = request.query_params.get("limit")
        if given is None:
            return self.page_size
        if not re.fullmatch(r"0*[1-9][0-9]{0,8}", given):
            raise serializers.ValidationError({"limit": "Give a number from 1 to 100."})
        return min(int(given), self.max_page_size)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }
