"""A real browser for the pages that we write and serve: Debian's Chromium, driven by Playwright, and axe in it.

    def test_a_page(browser):
        with opened(browser, path.as_uri(), size="phone", scheme="dark") as page:
            assert violations(page) == []

`opened` fails when the page asks anything of a host that it did not come from, or when the browser complains in its
console, as it does about the page's Content-Security-Policy.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

from tests.real.programs import program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = {"phone": (390, 844), "laptop": (1280, 800), "wall": (2560, 1440)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--disable-dev-shm-usage"),
)


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium without a window."""
    path = program("chromium")
    from playwright.sync_api import sync_playwright  # most tests need no browser

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=list(_QUIET))
        try:
            yield started
        finally:
            started.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a file of tests. Not for all: while it runs, its thread cannot run another loop of asyncio."""
    with running_browser() as started:
        yield started


@contextlib.contextmanager
def opened(
    browser: Browser, url: str, *, size: str = "laptop", scheme: str = "light", script: bool = True
) -> Iterator[Page]:
    """The page at `url`, in one of `SIZES` and `SCHEMES`, with or without scripts.

    A host that `url` does not name is never reached: such a request fails, and the test with it.
    """
    width, height = SIZES[size]
    complaints: list[str] = []
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        allowed = urlsplit(url)[:2]
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if urlsplit(asked.url)[:2] != allowed else None)
        page.goto(url)
        yield page
        assert complaints == [], f"{url}: {complaints}"
    finally:
        context.close()


def violations(page: Page) -> list[str]:
    """What axe finds wrong, each with the elements; a page that scrolls sideways is wrong too."""
    if not page.evaluate("'axe' in window"):
        from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]  # has no types; most tests need no browser

        page.evaluate(AXE_SCRIPT)
    # Only what is wrong comes back: what is right is a megabyte for each page.
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(all => all.violations)")
    told = [
        f"{one['id']}: {', '.join(str(node['target'][0]) for node in one['nodes'][:5])}: {one['help']}" for one in found
    ]
    across, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return told + ([f"the page is {across} wide, the window {room}"] if across > room else [])


def violations_anywhere(page: Page, name: str) -> dict[str, list[str]]:
    """What is wrong with an open page in each of `SIZES` and `SCHEMES`. `name` is for its pictures."""
    wrong = {}
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            picture(page, f"{name}-{size}-{scheme}")
            if found := violations(page):
                wrong[f"{size} {scheme}"] = found
    return wrong


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like in the folder `$TRANSLOAD_PICTURES`, if there is one."""
    if folder := os.environ.get("TRANSLOAD_PICTURES"):
        path = Path(folder) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=path, full_page=True)
