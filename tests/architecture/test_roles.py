"""Every address with each role of the cast: what they may do, and what they get to see of others.

A new address, or a new method of one, fails here until its line says what each role gets. Bodies
are empty: whoever may do the thing is told what is missing (400), and nothing happens.
"""

from collections.abc import Callable
from typing import Any

from django.test import Client as Browser

from tests.architecture.conftest import Stage
from tests.architecture.roles import API, PAGES, ROLES
from tests.architecture.routes import address, methods_of, our_routes


def _entries(prefix: str, *, of_api: bool) -> dict[str, str]:
    """`METHOD route` of the table, to the full route."""
    return {
        f"{method} {route.removeprefix(prefix)}": route
        for route, pattern in our_routes()
        if route.startswith("api/v1/") is of_api
        for method in methods_of(pattern)
    }


def _answers(stage: Stage, route: str, method: str, ask: Callable[..., Any]) -> tuple[int, ...]:
    return tuple(
        ask(stage.browser(role), method, address(route, stage.arguments())).status_code
        for role in ROLES
    )


def _ask_api(browser: Browser, method: str, path: str) -> Any:
    return browser.generic(method, path, b"{}", content_type="application/json")


def _ask_page(browser: Browser, method: str, path: str) -> Any:
    return browser.get(path) if method == "GET" else browser.post(path, {})


def test_every_call_of_the_api_has_its_line() -> None:
    assert set(_entries("api/v1/", of_api=True)) == set(API)


def test_every_page_has_its_line() -> None:
    assert set(_entries("", of_api=False)) == set(PAGES)


def test_each_role_gets_of_the_api_what_its_line_says(stage: Stage) -> None:
    got = {
        entry: _answers(stage, route, entry.partition(" ")[0], _ask_api)
        for entry, route in _entries("api/v1/", of_api=True).items()
        if entry in API
    }
    assert got == {entry: API[entry] for entry in got}


def test_each_role_gets_of_the_pages_what_their_line_says(stage: Stage) -> None:
    got = {
        entry: _answers(stage, route, entry.partition(" ")[0], _ask_page)
        for entry, route in _entries("", of_api=False).items()
        if entry in PAGES
    }
    assert got == {entry: PAGES[entry] for entry in got}


def test_charlies_lists_hold_nothing_of_alices(stage: Stage) -> None:
    ours = {*stage.arguments().values()} - {"openai"}
    for route, pattern in our_routes():
        if not route.startswith("api/v1/") or "GET" not in methods_of(pattern) or "<" in route:
            continue
        answer = stage.browser("charlie").get(f"/{route}")
        assert answer.status_code == 200, route
        assert not [each for each in ours if each in answer.content.decode()], route
