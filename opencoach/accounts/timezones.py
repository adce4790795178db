"""The time zones a person may have."""

from functools import cache
from zoneinfo import available_timezones


@cache
def known_timezones() -> frozenset[str]:
    """IANA names, as this machine's time zone data has them; UTC needs no data."""
    return frozenset(available_timezones()) | {"UTC"}


def is_timezone(name: str) -> bool:
    return name in known_timezones()
