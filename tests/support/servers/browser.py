"""Chromium for the pages that the gate writes: fixtures for the length of one module."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Visit:
    """A page that is loaded in the browser, with its requests and errors.

    Attributes:
        page: The loaded page.
        requests: Every address that it requested, its own included.
        complaints: Messages on the console, and errors of scripts.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


Visitor = Callable[..., AbstractContextManager[Visit]]


# Playwright runs an event loop in this thread, with which asyncio.run fails in every other test:
# so the browser is closed with the module that uses it.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium for the tests of one module, or skip them where there is none."""
    binary = shutil.which("chromium")
    if binary is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=binary, args=_QUIET)
        yield chromium
        chromium.close()


# A new page for each visit would take longer than most visits.
@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """Open the one page in which a module visits files."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def visit(page: Page) -> Visitor:
    """Return a context manager that opens a file, with every ``details`` element open.

    It takes the ``width`` of the window in CSS pixels and the colour ``scheme`` that the reader
    prefers: ``with visit(path, width=360, scheme="dark") as opened: …``.
    """
    return partial(_visit, page)


@contextmanager
def _visit(
    page: Page, path: Path, *, width: int = 1280, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Visit]:
    opened = Visit(page)
    listeners: dict[Any, Callable[[Any], None]] = {
        "request": lambda request: opened.requests.append(request.url),
        "console": lambda message: opened.complaints.append(message.text),
        "pageerror": lambda error: opened.complaints.append(str(error)),
    }
    page.emulate_media(color_scheme=scheme, media="screen")
    page.set_viewport_size({"width": width, "height": 900})
    for event, listener in listeners.items():
        page.on(event, listener)
    try:
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        yield opened
    finally:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        page.goto("about:blank")


def sticking_out(page: Page) -> dict[int, list[str]]:
    """List what overflows a page to the right, by width, from a small phone to a desktop."""
    found: dict[int, list[str]] = {}
    for width in (320, 360, 740, 1000, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        beyond = page.evaluate(_STANDING_OUT, width)
        if beyond or page.evaluate("document.documentElement.scrollWidth") > width:
            found[width] = beyond
    return found


_STANDING_OUT = """width => [...document.querySelectorAll('body *')]
    .filter(e => !e.closest('thead, .unseen'))
    .filter(e => e.getClientRects().length && e.getBoundingClientRect().right > width + 0.5)
    .map(e => e.tagName + '.' + e.className)"""
