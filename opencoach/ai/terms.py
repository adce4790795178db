"""What a caller hands to the door, and what comes back besides the stream's own events."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from opencoach.ai.providers.base import Credentials, ProviderFault


@dataclass(frozen=True, slots=True)
class CallContext:
    """For whom a call is made: what its ledger rows say."""

    workspace_id: UUID
    action: str
    person_id: UUID | None = None
    conversation_id: UUID | None = None
    turn_id: UUID | None = None
    trace_id: str = ""
    """Empty means the current trace (`opencoach.common.tracing`)."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """One model of a fallback chain, and the key to reach it with."""

    provider: str
    model: str
    credentials: Credentials = field(repr=False)
    own: bool = False
    """The workspace's own key (BYOK), which its provider bills to the workspace."""

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take, and how often a model is asked. All times are in seconds."""

    first_token_s: float = 15.0
    """From the request to the first text or tool call."""
    gap_s: float = 10.0
    """Between two events after the first. A tool call is one event, whole."""
    whole_s: float = 90.0
    """The call from its first attempt on, with every retry, wait and fallback in it."""
    retries: int = 1
    """How often the same model is asked again after a transient fault."""
    backoff_s: float = 0.25
    """The wait before the first retry; it doubles with each, up to `backoff_max_s`."""
    backoff_max_s: float = 4.0
    patience_s: float = 3.0
    """A model that is free again within this time is waited for, else another is asked first."""


def default_limits() -> Limits:
    return Limits(**settings.MODEL_LIMITS)


@dataclass(frozen=True, slots=True)
class Reset:
    """The text and tool calls so far are void: what follows starts the answer again."""

    reason: str
    """The fault's kind, a word of `providers.base.FaultKind`."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one model gave no answer. `kind` is a `FaultKind`, or one of the two below."""

    choice: ModelChoice
    kind: str
    detail: str
    status: int | None = None
    transient: bool = False
    retry_after_s: float | None = None

    UNEXPECTED = "unexpected"  # an error that no provider should raise: our bug, most likely
    SKIPPED = "skipped"  # the breaker is open, so the choice went to the end of the chain

    @classmethod
    def of(cls, choice: ModelChoice, error: Exception) -> "Failure":
        if not isinstance(error, ProviderFault):
            return cls(choice, cls.UNEXPECTED, repr(error))
        return cls(
            choice, error.kind, error.detail, error.status, error.transient, error.retry_after_s
        )

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class NoModel(Exception):
    """The chain is empty: no model is configured for this."""


class AllModelsFailed(Exception):
    """No model of the chain answered in time. Nothing that was yielded before counts."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__("; ".join(f"{f.choice}: {f}" for f in failures) or "out of time")
        self.failures = tuple(failures)
