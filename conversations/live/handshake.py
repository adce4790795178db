"""Who opens a socket: a session cookie, or `bearer, <token>` among the subprotocols."""

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.http.request import validate_host

from opencoach.accounts.access import (
    Caller,
    CallerRefused,
    caller_from_bearer,
    caller_from_user,
)
from opencoach.accounts.scopes import Scope
from opencoach.accounts.sessions import SessionStore


@dataclass(frozen=True, slots=True)
class Handshake:
    token: str
    session_key: str
    origin: str
    after: int | None
    """`?after=`: the last `seq` that the watcher has; `None` starts with what comes next."""
    subprotocol: str | None

    @classmethod
    def of(cls, scope: dict[str, Any]) -> "Handshake":
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        offered = scope.get("subprotocols", [])
        bearer = len(offered) >= 2 and offered[0].lower() == "bearer"
        return cls(
            token=offered[1] if bearer else "",
            session_key=_cookie(headers.get(b"cookie", ""), settings.SESSION_COOKIE_NAME),
            origin=headers.get(b"origin", ""),
            after=_after(scope["query_string"]),
            subprotocol=offered[0] if bearer else None,
        )


def resolve(handshake: Handshake) -> Caller:
    """Raises `CallerRefused`."""
    token = handshake.token
    caller = caller_from_bearer(token) if token else _from_session(handshake)
    if not caller.may(Scope.CONVERSATIONS_READ):
        raise CallerRefused("scope", f"This needs the scope {Scope.CONVERSATIONS_READ}.")
    return caller


def recheck(handshake: Handshake, caller: Caller) -> None:
    """Raises `CallerRefused` when the caller is no longer who they were."""
    if resolve(handshake) != caller:
        raise CallerRefused("changed", "Your access has changed: reconnect.")


def _from_session(handshake: Handshake) -> Caller:
    # A browser sends the cookie whichever page opens the socket; the page must be one of ours.
    host = urlsplit(handshake.origin).hostname
    if handshake.origin and not (host and validate_host(host, settings.ALLOWED_HOSTS)):
        raise CallerRefused("origin", "This page may not open a socket with your session.")
    request = HttpRequest()
    request.session = SessionStore(handshake.session_key or None)
    caller = caller_from_user(get_user(request))
    if caller is None:
        raise CallerRefused("not_signed_in", "Sign in, or send a token as `bearer, <token>`.")
    return caller


def _cookie(header: str, name: str) -> str:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _after(query: bytes) -> int | None:
    values = parse_qs(query.decode("latin-1")).get("after", [])
    return int(values[0]) if values and values[0].isdecimal() and len(values[0]) < 10 else None
