"""What every model call cost. Both tables are append-only: PostgreSQL refuses to change a row."""

from django.db import models
from django.utils.timezone import now

from opencoach.accounts.tenancy import HotTenantModel


class ModelPrice(models.Model):
    """What a million tokens of a model cost from a day on; a new price is a new row."""

    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=120)
    valid_from = models.DateTimeField(default=now)
    prompt_usd = models.DecimalField(
        "USD per million prompt tokens", max_digits=12, decimal_places=6
    )
    cached_usd = models.DecimalField(
        "USD per million prompt tokens read from the cache", max_digits=12, decimal_places=6
    )
    completion_usd = models.DecimalField(
        "USD per million completion tokens", max_digits=12, decimal_places=6
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "model", "valid_from"], name="one_price_at_a_time"
            ),
            models.CheckConstraint(
                condition=models.Q(prompt_usd__gte=0, cached_usd__gte=0, completion_usd__gte=0),
                name="no_negative_price",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} from {self.valid_from:%Y-%m-%d}"


class Status(models.TextChoices):
    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled", "cancelled by us, by a takeover say"
    ABANDONED = "abandoned", "its process died: what it used is not known"


class LedgerEntry(HotTenantModel):
    """One attempt at one model call, failed ones included.

    `prompt_tokens` is the whole input with its cached part; `estimated` says that the provider
    named no usage and that we counted. `cost_usd` is empty where the model has no price.
    """

    person_id = models.UUIDField(null=True, help_text="The client, user or API key it was for.")
    conversation_id = models.UUIDField(null=True)
    turn_id = models.UUIDField(null=True)
    action = models.CharField(max_length=20)
    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=120)
    attempt = models.PositiveSmallIntegerField(default=1)
    replaces_id = models.UUIDField(null=True, help_text="The failed attempt this one stands for.")
    status = models.CharField(max_length=10, choices=Status)
    error = models.CharField(max_length=200, blank=True)
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    estimated = models.BooleanField(default=False)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    latency_ms = models.PositiveIntegerField(default=0)
    ttft_ms = models.PositiveIntegerField(null=True, help_text="Time to the first token.")
    trace_id = models.CharField(max_length=32, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        verbose_name_plural = "ledger entries"
        indexes = [
            # "What did this workspace use in this time": every usage page and sum reads this way.
            models.Index(fields=["workspace_id", "created_at"], name="ledger_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.provider}/{self.model} {self.status}"
