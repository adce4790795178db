"""What a call cost, from the append-only price table."""

import re
import time
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from usage.models import LedgerEntry, ModelPrice

CACHE_SECONDS = 60
_MILLION = Decimal(1_000_000)
_CENT_OF_A_MICRODOLLAR = Decimal("1e-8")  # what `LedgerEntry.cost_usd` can hold

# Bedrock's inference profiles and dated snapshots cost what their model costs:
# us.anthropic.claude-sonnet-4-5-20250929-v1:0, gpt-4.1-mini-2025-04-14.
_REGION = re.compile(r"^(?:us|us-gov|eu|apac|jp|au|global)\.")
_VERSION = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})(?:-v\d+(?::\d+)?)?$")

_Prices = dict[tuple[str, str], list[ModelPrice]]
_cached: tuple[float, _Prices] | None = None


def cost_of(entry: LedgerEntry) -> Decimal | None:
    """By the price that was valid when the call began; `None` where the model has none.

    Tokens that a provider wrote to its prompt cache count as plain prompt tokens.
    """
    price = _price_at(entry.provider, entry.model, entry.created_at)
    if price is None:
        return None
    cached = min(entry.cached_tokens, entry.prompt_tokens)
    cost = (
        (entry.prompt_tokens - cached) * price.prompt_usd
        + cached * price.cached_usd
        + entry.completion_tokens * price.completion_usd
    )
    return (cost / _MILLION).quantize(_CENT_OF_A_MICRODOLLAR)


def forget_prices() -> None:
    """The next cost reads the table again; other processes notice within `CACHE_SECONDS`."""
    global _cached
    _cached = None


def _price_at(provider: str, model: str, moment: datetime) -> ModelPrice | None:
    prices = _all_prices()
    for name in (model, _VERSION.sub("", _REGION.sub("", model))):
        valid = _valid_at(prices.get((provider, name), ()), moment)
        if valid:
            return valid
    return None


def _valid_at(history: Sequence[ModelPrice], moment: datetime) -> ModelPrice | None:
    return next((price for price in reversed(history) if price.valid_from <= moment), None)


def _all_prices() -> _Prices:
    """The whole table: it is small, and a hit and a miss both cost no query then."""
    global _cached
    if _cached is None or _cached[0] < time.monotonic():
        prices: _Prices = {}
        for price in ModelPrice.objects.order_by("valid_from"):
            prices.setdefault((price.provider, price.model), []).append(price)
        _cached = (time.monotonic() + CACHE_SECONDS, prices)
    return _cached[1]
