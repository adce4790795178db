"""Prometheus metrics: how many requests, and how long they took.

With `PROMETHEUS_MULTIPROC_DIR` set the processes keep their figures in files of that folder and
whichever is asked adds them up; without it a process answers for itself.
"""

import ipaddress
import os
import secrets
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("opencoach_http_requests_total", "HTTP requests", ["method", "route", "status"])
SECONDS = Histogram(
    "opencoach_http_request_seconds",
    "Time from a request to its response; of a streamed one, to its first byte",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class MetricsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        route = _route_of(request)
        method = request.method if request.method in _METHODS else "other"
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(route).observe(time.perf_counter() - started)
        return response


def _route_of(request: HttpRequest) -> str:
    """The pattern, never the address: what callers type must not make new time series."""
    return request.resolver_match.route if request.resolver_match else "none"


def metrics(request: HttpRequest) -> HttpResponse:
    """Open to `METRICS_TOKEN` as a bearer; without one set, to this machine only."""
    if not _may_read(request):
        return HttpResponse("Not found.\n", status=404, content_type="text/plain")
    return HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if token := settings.METRICS_TOKEN:
        offered = request.headers.get("Authorization", "").encode("utf-8", "surrogatepass")
        return secrets.compare_digest(offered, f"Bearer {token}".encode())
    if request.headers.get("X-Forwarded-For") or request.headers.get("Forwarded"):
        return False  # a proxy on this machine asks for somebody elsewhere
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
