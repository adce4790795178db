"""What the OpenAPI schema says of every operation: its scope, its problems, its trace id."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from opencoach.common.http import StrictSerializer
from opencoach.common.problems import CONTENT_TYPE

_TEXT = {"type": "string"}
_ERROR = {
    "type": "object",
    "properties": {"field": _TEXT, "code": _TEXT, "message": _TEXT},
    "required": ["field", "code", "message"],
}
_PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457): `detail` says what to change.",
    "properties": {
        "type": {"type": "string", "example": "urn:opencoach:problem:invalid"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "trace_id": {"type": "string", "description": "Quote it when you ask about this."},
        "errors": {"type": "array", "items": _ERROR},
    },
    "required": ["type", "title", "status", "detail", "trace_id"],
}
_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
_HEADERS = {
    "X-Trace-Id": {"description": "Names this request in every log.", "schema": _TEXT},
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}},
}
# The problems that parsing, access and the servers behind us bring to any view.
_COMMON = {
    400: ("Invalid", "Something in the request is not valid: `errors` names it."),
    401: ("NotSignedIn", "No session, or a key or token that is not valid: the detail says why."),
    403: ("NotAllowed", "The caller lacks the scope, or a session its CSRF token."),
    404: ("NotFound", "There is no such thing, or it is another workspace's."),
    413: ("TooLarge", "The body is too large."),
    415: ("WrongType", "The body is of a type that is not taken here."),
    503: ("Unavailable", "A server that we need is away: try again."),
}


def refusal(status: int, why: str) -> dict[tuple[int, str], OpenApiResponse]:
    """A problem of one view's own, for its `responses`."""
    return {(status, CONTENT_TYPE): OpenApiResponse(_PROBLEM_REF, why)}


class ProblemSchema(AutoSchema):
    """Adds to each operation what its view inherits and does not say."""

    method_mapping = AutoSchema.method_mapping | {"patch": "change"}

    def get_description(self) -> str:  # type: ignore[override]
        scope = getattr(self.view, "scopes", {}).get(self.method)
        said = super().get_description()
        return f"{said}\n\nNeeds the scope `{scope}`." if scope else said

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        own = super()._get_response_bodies(direction)
        common = {
            str(status): {"$ref": f"#/components/responses/{_COMMON[status][0]}"}
            for status in self._common_problems()
        }
        return dict(sorted((common | own).items()))

    def _common_problems(self) -> set[int]:
        takes_body = self.method in ("POST", "PATCH") and self.get_request_serializer() is not None
        parameters = {parameter["in"] for parameter in self._get_parameters()}
        problems = {401, 403, 503}
        if takes_body:
            problems |= {400, 413, 415}
        if "query" in parameters:
            problems.add(400)
        if "path" in parameters:
            problems.add(404)
        return problems

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
            if not type(serializer).__doc__:  # else it would show that of `StrictSerializer`
                schema.pop("description", None)
        return schema


def add_shared_components(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A postprocessing hook: what the operations refer to, and the header all responses have."""
    components = result["components"]
    components["headers"] = _HEADERS
    components["schemas"]["Problem"] = _PROBLEM
    components["responses"] = {
        name: _problem_response(description, "Retry-After" if status == 503 else None)
        for status, (name, description) in _COMMON.items()
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                if "$ref" not in response:
                    response["headers"] = _refs("X-Trace-Id") | response.get("headers", {})
    return result


def _problem_response(description: str, header: str | None) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _refs("X-Trace-Id", *([header] if header else [])),
        "content": {CONTENT_TYPE: {"schema": _PROBLEM_REF}},
    }


def _refs(*headers: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
