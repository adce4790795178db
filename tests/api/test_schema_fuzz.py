"""The committed schema, fuzzed against a real server: what it promises is what it gets.

Random cases, of which half fit the schema and half break it, with fresh things to act on; and
every edge case that schemathesis can derive. The schema is made anew and compared in `make check`.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from opencoach.accounts.secrets import sign_client_token
from opencoach.accounts.services import create_api_key
from tests.architecture.conftest import Stage
from tests.conftest import Cast, Person
from tests.live import PROJECT, WebProcess

EXAMPLES = 8

schema = schemathesis.openapi.from_path(PROJECT / "docs" / "openapi.yaml")
schema.config.generation.update(with_security_parameters=False)
OPERATIONS = {each.ok().label: each.ok() for each in schema.get_all_operations()}


def a_problem_says_what_to_change(ctx: Any, response: Any, case: Case) -> None:
    if response.status_code < 400:
        return
    document = response.json()
    assert response.headers["content-type"] == ["application/problem+json"]
    assert document["status"] == response.status_code
    assert document["detail"]
    assert [document["trace_id"]] == response.headers["x-trace-id"]
    for error in document.get("errors", []):
        assert error["field"]
        assert error["message"]


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    a_problem_says_what_to_change,
]
WAYS = [{}, {"Prefer": "wait=5"}, {"Accept": "text/event-stream"}]
quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def callers(web: WebProcess, committed_cast: Cast) -> Iterator[list[requests.Session]]:
    """Alice, an integrator's key, and a client's token."""
    dana = committed_cast.dana.client
    assert dana
    _, key = create_api_key(workspace=committed_cast.workspace, name="fuzz")
    callers = []
    with web.http(committed_cast.alice) as alice:
        session = requests.Session()
        session.cookies.update(dict(alice.cookies))
        session.headers["X-CSRFToken"] = alice.headers["X-CSRFToken"]
        callers.append(session)
    for token in (key, sign_client_token(dana.workspace_id, dana.id)):
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {token}"
        callers.append(session)
    yield callers
    for session in callers:
        session.close()


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_one_the_schema_promises(
    label: str, web: WebProcess, committed_cast: Cast, callers: list[requests.Session]
) -> None:
    operation = OPERATIONS[label]
    stage = Stage(committed_cast, Person(committed_cast.dana.user))

    def send(case: Case, caller: requests.Session, way: dict[str, str]) -> None:
        case.call_and_validate(web.url, caller, dict(way), CHECKS, timeout=20)

    @quick
    @given(
        case=st.one_of(*map(operation.as_strategy, GenerationMode)),
        caller=st.sampled_from(callers),
        way=st.sampled_from(WAYS),
    )
    def fuzz(case: Case, caller: requests.Session, way: dict[str, str]) -> None:
        point_at(case, stage.arguments())
        send(case, caller, way)

    fuzz()
    arguments = stage.arguments()
    for case, caller in zip(edge_cases(operation), itertools.cycle(callers), strict=False):
        if case.meta and not case.meta.is_negative_at(ParameterLocation.PATH):
            point_at(case, arguments)
        send(case, caller, {})


def edge_cases(operation: Any) -> Iterator[Case]:
    """Limits of each value and what lies past them, wrong types, methods and media types."""
    return schema.iter_coverage_cases(
        operation,
        generation_modes=list(GenerationMode),
        generation_config=schema.config.generation,
    )


def point_at(case: Case, arguments: dict[str, str]) -> None:
    """At things that are there."""
    case.path_parameters = {
        each.name: arguments[each.name] for each in case.operation.path_parameters
    }
