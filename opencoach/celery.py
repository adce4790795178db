"""Background work, in the trace of whoever asked for it."""

import os
from typing import Any

import structlog
from celery import Celery
from celery.signals import before_task_publish, setup_logging, task_prerun

from opencoach.common.tracing import bind_trace_id, current_trace_id, new_trace_id

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opencoach.settings")

app = Celery("opencoach")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@before_task_publish.connect
def _send_trace_id(headers: dict[str, Any], **kwargs: Any) -> None:
    headers["trace_id"] = current_trace_id()


@task_prerun.connect
def _take_trace_id(task: Any, **kwargs: Any) -> None:
    structlog.contextvars.clear_contextvars()
    bind_trace_id(task.request.get("trace_id") or new_trace_id())
    structlog.contextvars.bind_contextvars(task=task.name)


@setup_logging.connect
def _keep_our_logging(**kwargs: Any) -> None:
    """Celery leaves logging alone where this signal has a receiver: Django has set it up."""
