"""A real headless Chromium in front of a real web process."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.conftest import Cast
from tests.live import WebProcess
from tests.model_server import ModelServer

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Nothing that talks to the outside or asks for a sandbox that a container does not have.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
expect.set_options(timeout=15_000)


@pytest.fixture
def live_stack(web: WebProcess, committed_cast: Cast, model_server: ModelServer) -> WebProcess:
    """The web process with the cast, whose clones speak slowly enough to be watched."""
    model_server.default(tokens=40, tps=40, first_token_ms=150)
    return web


@pytest.fixture
def chromium(live_stack: WebProcess) -> Iterator[Browser]:
    """A browser that starts after the database was filled and ends before it is emptied.

    While Playwright runs, this thread counts as asynchronous, and Django's ORM refuses to work.
    """
    path = next(filter(None, map(shutil.which, SYSTEM_BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


OpenAs = Callable[..., Page]


@pytest.fixture
def open_as(chromium: Browser, live_stack: WebProcess) -> Iterator[OpenAs]:
    """`open_as("dana")` is a page of Dana's own browser, signed in through the form.

    At the end no page may have had a script error or a complaint about the content policy.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(name: str, **options: Any) -> Page:
        context = chromium.new_context(locale="en-GB", reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{name}: {error}"))
        page.on(
            "console",
            lambda message: (
                complaints.append(f"{name}: {message.text}")
                if "Content Security Policy" in message.text
                else None
            ),
        )
        page.goto(f"{live_stack.url}/accounts/login/")
        page.get_by_label("Email").fill(f"{name}@example.com")
        page.get_by_label("Password").fill(live_stack.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/accounts/login/" not in url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def serious_violations(page: Page) -> list[str]:
    """What axe-core finds on the page as it stands, from `serious` up, in light and in dark."""
    # Evaluated by the debugger, which the page's policy does not bind.
    page.evaluate(AXE.read_text())
    found = []
    for scheme in ("light", "dark"):
        page.evaluate("(scheme) => openCoachTheme.set(scheme)", scheme)
        result = page.evaluate("axe.run()")
        found += [
            f"{scheme}: {violation['id']}: {node['html']}: {node['failureSummary']}"
            for violation in result["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
    return found
