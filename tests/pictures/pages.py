"""Pictures of pages, by Chromium: what `serve` shows of a bundle, and the report of a run."""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from tests.pictures.scenes import desk, slow_line
from tests.pictures.terminals import steady
from tests.real.browser import running_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_LAPTOP, _PHONE = (1100, 760), (390, 760)
_HOST = "registry.local:5000"


def draw_pages(folder: Path) -> None:
    """Draw all of them."""
    with desk() as (here, _), running_browser() as browser:
        environment = {**here.environment, "SOURCE_DATE_EPOCH": "1795773600"}

        def run(line: str, **more: str) -> None:
            words = line.split()
            subprocess.run(
                words, cwd=here.folder, env={**environment, **more}, check=True, capture_output=True, timeout=240
            )

        with slow_line(here) as slow:
            run(
                "transload mirror arcdata --to registry.local/arcdata --run-id night-2026-11-27 --report run.html",
                **slow,
            )
        report = (here.folder / "run.html").as_uri()
        _shot(browser, report, folder / "report.png", _LAPTOP)
        _shot(browser, report, folder / "report-charts.png", _LAPTOP, part="[id$='-contents']")
        _shot(browser, report, folder / "report-time.png", _LAPTOP, part="[id$='-throughput']")
        _shot(browser, report, folder / "report-phone-dark.png", _PHONE, dark=True)
        run("transload pack needed.txt -o tools --sign-key site.key")
        words = ["transload", "serve", "tools", "--key", "site.pub", "--listen", "127.0.0.1:0"]
        with subprocess.Popen(words, cwd=here.folder, env=environment, stderr=subprocess.PIPE, text=True) as serving:
            assert serving.stderr
            found = re.search(r"127\.0\.0\.1:(\d+)", serving.stderr.readline())
            assert found
            port = int(found[1])
            _shot(browser, "/", folder / "serve.png", _LAPTOP, port=port)
            image = "a[href*='webhook']"
            _shot(browser, "/", folder / "serve-image.png", _LAPTOP, port=port, click=image)
            _shot(browser, "/", folder / "serve-phone-dark.png", _PHONE, port=port, dark=True)
            serving.terminate()
            serving.wait(30)


def _shot(
    browser: Browser,
    url: str,
    path: Path,
    size: tuple[int, int],
    *,
    dark: bool = False,
    port: int | None = None,
    click: str | None = None,
    part: str | None = None,
) -> None:
    """One picture of what fits the window, from `part` on, after a `click` on each page to an image.

    With `port`, the page is asked for under the name of a registry. The picture stays if the page says the same.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        if port is not None:
            url = f"http://{_HOST}{url}"
            context.route(
                "**/*",
                lambda route: route.fulfill(
                    response=route.fetch(
                        url=route.request.url.replace(_HOST, f"127.0.0.1:{port}"),
                        headers={**route.request.headers, "host": _HOST},
                    )
                ),
            )
        page.goto(url)
        for link in (click, click) if click else ():
            page.locator(link).first.click()
            page.wait_for_load_state()
        if part:
            page.locator(part).first.scroll_into_view_if_needed()
            page.evaluate("part => document.querySelector(part).scrollIntoView()", part)
        words = re.sub(r"\d+", "", steady(page.inner_text("body")))  # a page has figures of time in every table
        mark = hashlib.sha256(" ".join(sorted(set(words.split()))).encode()).hexdigest()
        if not (path.exists() and mark.encode() in path.read_bytes()):
            path.write_bytes(_marked(page.screenshot(), mark))
    finally:
        context.close()


def _marked(png: bytes, mark: str) -> bytes:
    """A PNG with a comment behind its first chunk: the sum of the words on the page."""
    body = b"tEXtComment\0" + mark.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:33] + chunk + png[33:]
