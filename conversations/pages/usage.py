"""What the practice's model calls came to, day by day."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.http import require_GET

from conversations.pages.chart import daily_chart
from conversations.pages.shell import caller_of, coach_page, shell
from usage.selectors import usage_by

DAYS = 30
_COUNTS = ("calls", "prompt_tokens", "completion_tokens", "cached_tokens", "errors", "unpriced")


@coach_page
@require_GET
def usage(request: HttpRequest) -> HttpResponse:
    today = now().date()
    first = today - timedelta(days=DAYS - 1)
    used = usage_by(
        workspace_id=caller_of(request).workspace_id,
        group_by="day",
        first_day=first,
        last_day=today,
    )
    context = shell(request, "usage") | {"days": DAYS, "rows": used}
    if used:
        every_day = _every_day(used, first, today)
        context |= {
            "chart": daily_chart(every_day),
            "rows_newest_first": used[::-1],
            "total": _total(used),
        }
    return render(request, "coach/usage.html", context)


def _every_day(used: list[dict[str, Any]], first: date, last: date) -> list[dict[str, Any]]:
    """With a row of nothing for days without a call, so that the chart's time is even."""
    by_day = {row["day"]: row for row in used}
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [by_day.get(day, {"day": day, "calls": 0, "errors": 0}) for day in days]


def _total(used: list[dict[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {name: sum(row[name] for row in used) for name in _COUNTS}
    tokens = total["prompt_tokens"] + total["completion_tokens"]
    return total | {
        "cost_usd": sum((row["cost_usd"] for row in used), Decimal(0)),
        "tokens_short": _short(tokens),
    }


def _short(count: int) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= 10 * size or (unit == "M" and count >= size):
            return f"{count / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count:,}"
