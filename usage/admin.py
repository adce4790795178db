"""The price list, which grows, and the ledger, which is read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from opencoach.common.admin import ReadOnlyAdmin
from usage.models import LedgerEntry, ModelPrice
from usage.services import add_price


@admin.register(ModelPrice)
class ModelPriceAdmin(ReadOnlyAdmin):
    """A new price is a new row: rows are added, never changed."""

    list_display = ("provider", "model", "valid_from", "prompt_usd", "cached_usd", "completion_usd")
    list_filter = ["provider"]
    search_fields = ["model"]
    ordering = ["provider", "model", "-valid_from"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def save_model(self, request: HttpRequest, obj: ModelPrice, form: Any, change: bool) -> None:
        add_price(obj)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "action",
        "provider",
        "model",
        "status",
        "prompt_tokens",
        "completion_tokens",
        "cost_usd",
        "latency_ms",
        "ttft_ms",
        "error",
    )
    list_filter = ["status"]
    ordering = ["-id"]  # by time, and by the primary key's index
