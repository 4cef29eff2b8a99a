"""The HTML report in a browser: readable at every width, light and dark, without script, on paper, and fast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.real.browser import SIZES, opened, violations_anywhere
from tests.unit.report.replay import Trouble
from tests.unit.report.sample import many, recorded
from tests.unit.report.test_restoring import full
from transload.errors import AccessDenied
from transload.oci import Digest
from transload.planning.plan import Share
from transload.report import bundlepage
from transload.report.reportfile import write_reports
from transload.report.result import Result
from transload.report.several import Results

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BUNDLE = {
    "bundle": "release",
    "size": 5_000_000,
    "verified": False,
    "signed_by": "sha256:ab",
    "against": "site.json",
    "images": [
        {
            "name": f"shop/{name}:v1",
            "source": f"vendor/{name}:v1",
            "digest": str(Digest.of(name.encode())),
            "size": 9,
            "present": name == "c",
        }
        for name in "abc"
    ],
    "files": [{"name": "licence.txt", "size": 12, "digest": str(Digest.of(b"licence"))}],
    "prerequisites": [{"digest": str(Digest.of(b"base")), "size": 4, "repositories": ["shop/a"], "images": []}],
}
FACTS = [("content", "3 images"), ("trust", "carries trust material"), ("", "site.pub (public key)"), ("signed", "no")]
FAILED = (Trouble("arc-sqlmi", fatal=AccessDenied("the push is refused", hint="log in", side="target"), retries=2),)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of runs that differ in what they have to show."""
    folder = tmp_path_factory.mktemp("reports")
    several = Results(targets=("one.example", "two.example"), results=(full(), recorded()), read_again=Share())
    results: dict[str, Result | Results] = {
        "failed": recorded(troubles=FAILED), "full": full(), "several": several, "many": many(2000)
    }  # fmt: skip
    for name, result in results.items():
        write_reports(result, [folder / f"{name}.html"])
    bundle = bundlepage.to_html(BUNDLE, FACTS, [(0, 1), (0, 2), ()], [5, 6, 7], problems=["a volume is missing"])
    (folder / "bundle.html").write_text(bundle, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in (*results, "bundle")}


@pytest.mark.parametrize("name", ["failed", "full", "several", "bundle"])
def test_axe_finds_nothing_at_any_width(browser: Browser, reports: dict[str, Path], name: str) -> None:
    with opened(browser, reports[name].as_uri()) as page:
        assert violations_anywhere(page, f"report-{name}") == {}


def test_rows_out_of_sight_are_not_laid_out(browser: Browser, reports: dict[str, Path]) -> None:
    """What makes the page of 2,000 images open in half a second instead of two; times are in docs/formats/report.md."""
    with opened(browser, reports["many"].as_uri()) as page:
        rows = page.locator("table.images tbody tr")
        assert rows.count() == 2000
        seen = "row => row.querySelector('.digest').checkVisibility({contentVisibilityAuto: true})"
        assert rows.first.evaluate(seen)
        assert not rows.last.evaluate(seen)


def test_the_table_sorts_and_filters_with_the_keyboard(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["failed"].as_uri()) as page:
        rows = page.locator("table.images tbody tr:visible")
        page.get_by_role("button", name="Size").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        assert page.locator("th[aria-sort=descending]").inner_text() == "Size"
        assert rows.first.inner_text().startswith("mirror/arcdata/arc-sqlmi")
        page.get_by_label("Show images with").focus()
        page.keyboard.type("failed")
        assert rows.count() == 1
        assert page.get_by_role("status").inner_text() == "1 of 17"


def test_a_digest_is_copied(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["failed"].as_uri()) as page:
        digest = page.locator("table.images .digest").first.inner_text()
        page.locator("table.images button.copy").first.click()
        page.get_by_label("Show images with").focus()
        page.keyboard.press("Control+V")
        assert page.get_by_label("Show images with").input_value() == digest


def test_without_script_everything_can_be_read(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["failed"].as_uri(), script=False) as page:
        assert page.locator("table.images tbody tr:visible").count() == 17
        assert not page.get_by_label("Show images with").is_visible()
        assert page.locator("svg:visible").count() > 10


def test_paper_has_all_images_whatever_was_searched_for(browser: Browser, reports: dict[str, Path]) -> None:
    for size in SIZES:
        with opened(browser, reports["failed"].as_uri(), size=size) as page:
            page.get_by_label("Show images with").fill("failed")
            rows = page.locator("table.images tbody tr:visible")
            assert rows.count() == 1
            page.emulate_media(media="print")
            assert rows.count() == 17


def test_it_prints_on_paper(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["failed"].as_uri(), scheme="dark") as page:
        content = page.pdf(prefer_css_page_size=True)
        assert content.startswith(b"%PDF")
        assert 2 <= content.count(b"/Type /Page\n") <= 5
        page.emulate_media(media="print", color_scheme="dark")
        assert not page.locator(".copy:visible, input:visible").count()
        assert page.get_by_text("Already there", exact=True).last.is_visible()  # the head is a button, which sorts
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 35, 48)"
