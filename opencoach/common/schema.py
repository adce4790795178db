"""The OpenAPI schema says what a view's code does not: problems, headers, strict bodies."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from opencoach.common.http import StrictSerializer
from opencoach.common.problems import CONTENT_TYPE

PROBLEM = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(help_text="`urn:opencoach:problem:<code>`"),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(help_text="What to change, for people."),
        "trace_id": serializers.CharField(help_text="Quote it when you ask about this."),
        "errors": inline_serializer(
            "FieldError",
            {
                "field": serializers.CharField(),
                "code": serializers.CharField(),
                "message": serializers.CharField(),
            },
            many=True,
            required=False,
        ),
    },
)
_HEADERS = [
    OpenApiParameter(
        "X-Trace-Id", str, OpenApiParameter.HEADER, response=True, description="Names this request."
    ),
    OpenApiParameter(
        "Retry-After", int, OpenApiParameter.HEADER, response=[503], description="Seconds."
    ),
]


def refusal(status: int, why: str) -> dict[tuple[int, str], OpenApiResponse]:
    """A problem of one view's own, for its `responses`."""
    return {(status, CONTENT_TYPE): OpenApiResponse(PROBLEM, why)}


class ProblemSchema(AutoSchema):  # type: ignore[misc]
    """Adds to each operation the problems that parsing, access and the servers behind it bring."""

    method_mapping = AutoSchema.method_mapping | {
        "get": "read",
        "patch": "change",
        "delete": "delete",
    }

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), *_HEADERS]

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        own = super()._get_response_bodies(direction)
        common = {
            str(status): self._get_response_for_code(
                OpenApiResponse(PROBLEM, why), str(status), [CONTENT_TYPE], direction
            )
            for status, why in self._problems().items()
        }
        return dict(sorted((common | own).items()))

    def _problems(self) -> dict[int, str]:
        scope = getattr(self.view, "scopes", {}).get(self.method)
        parameters = {parameter["in"] for parameter in self._get_parameters()}
        takes_body = self.method in ("POST", "PATCH") and self.get_request_serializer() is not None
        problems = {
            401: "Nobody is signed in, or the key or token is not valid: the detail says why.",
            403: f"The caller lacks the scope `{scope}`, or a session its CSRF token.",
            503: "A server that we need is away: try again.",
        }
        if takes_body or "query" in parameters:
            problems[400] = "Something in the request is not valid: `errors` names it."
        if takes_body:
            problems[413] = "The body is too large."
            problems[415] = "The body has a type that is not taken here."
        if "path" in parameters:
            problems[404] = "There is no such thing, or it is another workspace's."
        return problems

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        if isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
            if not type(serializer).__doc__:  # else it would show that of `StrictSerializer`
                schema.pop("description", None)
        return schema
