"""What the usage resource reads and answers."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from rest_framework import serializers

from opencoach.common.http import Choice, StrictSerializer

GROUPS = ("day", "model", "action", "client")
DEFAULT_DAYS = 30
MAX_DAYS = 366
FIRST_DAY = date(2020, 1, 1)
LAST_DAY = date(2999, 12, 31)


class UsageQuery(StrictSerializer):
    group_by = Choice(GROUPS, default="day")

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's, so no class attribute can have that name.
        days = {
            "from": serializers.DateField(
                required=False, help_text=f"First day, UTC; {DEFAULT_DAYS} days by default."
            ),
            "to": serializers.DateField(
                required=False, help_text="Last day, UTC; today by default."
            ),
        }
        return {**super().get_fields(), **days}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        last = attrs.setdefault("to", datetime.now(UTC).date())
        _check_day("to", last)
        first = attrs.setdefault("from", last - timedelta(days=DEFAULT_DAYS - 1))
        _check_day("from", first)
        if not first <= last < first + timedelta(days=MAX_DAYS):
            raise serializers.ValidationError(
                {"from": f"Must lie before `to`, and at most {MAX_DAYS} days with it."}
            )
        return attrs


def _check_day(field: str, day: date) -> None:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise serializers.ValidationError({field: f"Must lie in {FIRST_DAY} to {LAST_DAY}."})


class UsageRow(serializers.Serializer[Any]):
    """One group; of the first four fields a row has the one it is grouped by."""

    day = serializers.DateField(required=False)
    model = serializers.CharField(required=False, allow_blank=True)
    action = serializers.CharField(required=False)
    client = serializers.UUIDField(required=False, allow_null=True)
    calls = serializers.IntegerField(help_text="Attempts, failed ones included.")
    prompt_tokens = serializers.IntegerField(help_text="With their cached part.")
    completion_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    cost_usd = serializers.DecimalField(max_digits=20, decimal_places=8)
    unpriced = serializers.IntegerField(help_text="Calls without a price: not in the cost.")
    errors = serializers.IntegerField(  # type: ignore[assignment] # hides `Serializer.errors`
        help_text="Attempts that failed or never ended."
    )

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        # A nullable field shows as null where the row has none; here it does not show at all.
        return {k: v for k, v in super().to_representation(instance).items() if k in instance}


class UsageReport(serializers.Serializer[Any]):
    results = UsageRow(many=True)
