"""A task runs in the trace of the request that sent it."""

from uuid import uuid4

import redis
from celery import shared_task
from celery.contrib.testing.worker import start_worker
from django.conf import settings

from opencoach.celery import app
from opencoach.common.tracing import bind_trace_id, current_trace_id, new_trace_id


@shared_task(name="tests.tell_trace")
def tell_trace(key: str) -> None:
    redis.Redis.from_url(settings.REDIS_URL).rpush(key, current_trace_id())


def test_a_task_runs_in_the_trace_that_sent_it(transactional_db: None) -> None:
    trace_id, key = bind_trace_id(new_trace_id()), f"trace-{uuid4()}"
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="ERROR"):
        tell_trace.delay(key)
        told = redis.Redis.from_url(settings.REDIS_URL).blpop([key], timeout=20)
    assert told == (key.encode(), trace_id.encode())
