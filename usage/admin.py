"""The price list, which grows, and the ledger, which is read."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

from usage.models import LedgerEntry, ModelPrice
from usage.services import add_price


class CappedPaginator(Paginator):  # type: ignore[type-arg] # generic in the stubs only
    """Counts no further than `most`: counting a ledger of millions takes seconds a page."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        ledger: Any = self.object_list
        return int(ledger[: self.most].count())


class NoChange(ModelAdmin):  # type: ignore[misc] # unfold brings no types
    """PostgreSQL refuses to change these rows; the page does not offer it."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ModelPrice)
class ModelPriceAdmin(NoChange):
    list_display = ["provider", "model", "valid_from", "prompt_usd", "cached_usd", "completion_usd"]
    list_filter = ["provider"]
    search_fields = ["model"]
    ordering = ["provider", "model", "-valid_from"]

    def save_model(self, request: HttpRequest, obj: ModelPrice, form: Any, change: bool) -> None:
        add_price(obj)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(NoChange):
    list_display = [
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
    ]
    list_filter = ["status"]
    ordering = ["-id"]  # by time, and by the primary key's index
    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
