"""A limit on log-in attempts: so many for one address from one place in five minutes."""

import hashlib

import redis.exceptions
import structlog
from django.core.cache import cache

log = structlog.get_logger(__name__)

ATTEMPTS = 10
WINDOW_SECONDS = 5 * 60
_AWAY = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)


def take_attempt(email: str, address: str) -> bool:
    """Counts this attempt, before the password is looked at; `False` says there were too many.

    Counting first leaves no gap for attempts side by side. While Redis is away everyone may try:
    a coach who cannot log in is worse than a slow guess at a hashed password.
    """
    key = _key(email, address)
    try:
        cache.add(key, 0, WINDOW_SECONDS)
        return cache.incr(key) <= ATTEMPTS
    except ValueError:  # the window ended between the two
        return True
    except _AWAY as error:
        log.warning("login_attempts_uncounted", error=repr(error))
        return True


def forget_attempts(email: str, address: str) -> None:
    """After a log-in: whoever knows the password starts anew."""
    try:
        cache.delete(_key(email, address))
    except _AWAY as error:
        log.warning("login_attempts_kept", error=repr(error))


def _key(email: str, address: str) -> str:
    # Hashed: keys have a limited alphabet and length, and the cache need not hold addresses.
    who = f"{email.strip().lower()}|{address}".encode("utf-8", "surrogatepass")
    return f"login:{hashlib.sha256(who).hexdigest()}"
