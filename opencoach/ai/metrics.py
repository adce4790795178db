"""What `/metrics` says about model calls."""

from prometheus_client import Counter, Histogram

from usage.models import LedgerEntry

_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 25, 60)

ATTEMPTS = Counter(
    "opencoach_model_attempts", "Attempts at a model call.", ["provider", "model", "status"]
)
FIRST_TOKEN = Histogram(
    "opencoach_model_first_token_seconds",
    "From the request to the first text or tool call of an attempt.",
    ["provider", "model"],
    buckets=_SECONDS,
)
BREAKER_OPENED = Counter(
    "opencoach_model_breaker_opened", "Times that a circuit breaker opened.", ["provider"]
)


def count_attempt(entry: LedgerEntry) -> None:
    ATTEMPTS.labels(entry.provider, entry.model, entry.status).inc()
    if entry.ttft_ms is not None:
        FIRST_TOKEN.labels(entry.provider, entry.model).observe(entry.ttft_ms / 1000)
