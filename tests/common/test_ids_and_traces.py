import json
import logging
import time
from io import StringIO

import pytest
import structlog
from django.test import Client as Browser

from opencoach.common.ids import uuid7
from opencoach.common.logs import logging_config
from opencoach.common.tracing import bind_trace_id, current_trace_id, trace_id_from

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_uuid7_has_the_version_the_variant_and_the_time() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert before <= made.int >> 80 <= after


def test_uuid7_sorts_by_the_time_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for milliseconds in (0, 1, 1_700_000_000_000, 2**48 - 1):
        monkeypatch.setattr(time, "time_ns", lambda at=milliseconds: at * 1_000_000)
        made.append(uuid7())
    assert made == sorted(made)
    assert {each.version for each in made} == {7}


def test_uuid7_is_never_the_same_twice() -> None:
    assert len({uuid7() for _ in range(20_000)}) == 20_000


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        TRACE,
        f"00-{TRACE}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE[:-1]}g-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01\nX",
        "00-" + "a" * 100_000,
    ],
)
def test_a_traceparent_that_is_none_starts_a_trace(header: str) -> None:
    made = trace_id_from(header)
    assert made != TRACE
    assert len(made) == 32
    assert int(made, 16)


def test_a_callers_trace_is_taken_over() -> None:
    assert trace_id_from(f" 00-{TRACE.upper()}-00F067AA0BA902B7-01 ") == TRACE


def test_every_response_names_its_trace() -> None:
    answers = [
        Browser().get("/healthz", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}),
        Browser().get("/healthz"),
        Browser().get("/no/such/page"),
        Browser().get("/api/v1/clients/"),
    ]
    traces = [answer["X-Trace-Id"] for answer in answers]
    assert traces[0] == TRACE
    assert len(set(traces)) == len(traces)
    assert answers[-1].json()["trace_id"] == traces[-1]


def test_a_log_line_is_one_json_object_with_the_trace_in_it() -> None:
    config = logging_config("INFO")
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=config["formatters"]["json"]["processors"],
        foreign_pre_chain=config["formatters"]["json"]["foreign_pre_chain"],
    )
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    logger = logging.Logger("somebody.elses")
    logger.addHandler(handler)
    bind_trace_id(TRACE)
    try:
        assert current_trace_id() == TRACE
        logger.warning("it took\nlong")
    finally:
        structlog.contextvars.clear_contextvars()
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["trace_id"] == TRACE
    assert json.loads(line)["event"] == "it took\nlong"
