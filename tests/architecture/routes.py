"""Every address we serve, read from Django's resolver."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# Served by others' code behind one check of their own, which other tests look at.
NOT_OURS = ("admin/", "static/", "media/")


def our_routes() -> list[tuple[str, URLPattern]]:
    """(route, pattern), the route as it is written in our urls modules."""
    return [
        (route, pattern)
        for route, pattern in _walk(get_resolver().url_patterns, "")
        if not route.startswith(NOT_OURS)
    ]


def _walk(patterns: list[Any], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield route, pattern


def methods_of(pattern: URLPattern) -> set[str]:
    """The methods that a REST view gives scopes to and has a handler for; of a page, GET and POST.

    A page is asked both ways whatever it is for: the answer to the wrong way is part of the table.
    """
    view = getattr(pattern.callback, "cls", None)
    scopes = getattr(view, "scopes", None)
    if scopes is None:
        return {"GET", "POST"}
    return {method for method in scopes if hasattr(view, method.lower())}


def address(route: str, arguments: dict[str, str]) -> str:
    """The route with its `<kind:name>` parts filled in; a name without a value is an error."""
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: arguments[found[1]], route)
