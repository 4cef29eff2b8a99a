"""The pages of a served bundle in Chromium: at three widths, light and dark, with axe, the keyboard and no script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.real.browser import opened, violations_anywhere
from tests.unit.server.page.content import (
    ATTACK,
    CYCLONEDX,
    DSSE,
    SPDX,
    app,
    attached,
    cyclonedx,
    envelope,
    spdx,
    statement,
)
from transload.layout import LayoutStore
from transload.server import Served, serve
from transload.testing.images import AMD64, ARM64, fill, index, signature

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REPOSITORY = "jetstack/cert-manager-controller"
STEPS: list[dict[str, object]] = [
    {"created_by": "ADD rootfs.tar.xz /"},
    {"created_by": 'CMD ["bash"]', "empty_layer": True},
    {"created_by": "RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates " + "x" * 300},
]
CONFIG = {
    "Entrypoint": ["/bin/server"],
    "Env": ["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8"],
    "Labels": {"org.opencontainers.image.source": "https://example.com/" + "long/" * 40, "bad": ATTACK},
}
PARTS = [f"package-{number}" for number in range(240)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = LayoutStore(tmp_path_factory.mktemp("pages") / "site", create=True)
    amd = app("amd", (9000, 70_000), config=CONFIG, history=STEPS, annotations={"org.example.note": ATTACK})
    arm = app("arm", platform=ARM64)
    both = index([(amd, AMD64), (arm, ARM64)])
    for tag in ("v1.14.0", "v1.14.5"):
        fill(store, both, REPOSITORY, tag)
    for number in range(120):
        fill(store, arm, f"library/app-{number:03}", "1.0")
    fill(store, signature(both), REPOSITORY)
    fill(store, attached(amd.descriptor, [(spdx(PARTS, name=ATTACK), SPDX)]), REPOSITORY)
    fill(store, attached(amd.descriptor, [(cyclonedx([ATTACK]), CYCLONEDX)]), REPOSITORY)
    said = envelope(statement("https://slsa.dev/provenance/v1", {"builder": ATTACK}))
    note = {"predicateType": "https://slsa.dev/provenance/v1"}
    fill(store, attached(amd.descriptor, [(said, DSSE)], annotations=note), REPOSITORY)
    with serve(store) as served:
        yield served


@pytest.fixture(scope="module")
def addresses(browser: Browser, served: Served) -> dict[str, str]:
    """The addresses of one page of each kind, found as a reader finds them."""
    found = {"front": served.url}
    with opened(browser, served.url) as page:
        page.get_by_role("link", name=REPOSITORY).click()
        found["repository"] = page.url
        page.get_by_role("link", name="v1.14.5").click()
        found["index"] = page.url
        page.get_by_role("link", name="linux/amd64").click()
        found["image"] = page.url
        for name in ("SPDX", "CycloneDX", "SLSA"):
            page.get_by_role("listitem").get_by_role("link", name=name).first.click()
            found[name] = page.url
            page.go_back()
        page.get_by_role("link", name="manifest of SBOM, SPDX").click()
        found["artifact"] = page.url
    return found


def test_every_page_can_be_read_by_everybody(browser: Browser, addresses: dict[str, str]) -> None:
    wrong = {}
    for name, url in addresses.items():
        with opened(browser, url) as page:
            assert page.locator("script").count() == 1
            assert page.locator("img").count() == 0
            wrong[name] = violations_anywhere(page, f"serve-{name}")
    assert wrong == dict.fromkeys(addresses, {})


def test_without_script_everything_is_read_and_searched(
    browser: Browser, served: Served, addresses: dict[str, str]
) -> None:
    with opened(browser, served.url, script=False) as page:
        assert page.locator("button.copy:visible").count() == 0
        page.get_by_role("searchbox").fill("APP-11")
        page.get_by_role("button", name="Search").click()
        assert page.get_by_text("10 of 121 repositories found").is_visible()
        page.get_by_role("link", name="show all").click()
        page.get_by_role("link", name="later").click()
        assert page.get_by_text("page 2 of 3").is_visible()
    with opened(browser, addresses["image"], script=False) as page:
        assert page.get_by_text("docker pull").first.is_visible()
        assert page.get_by_text("ADD rootfs.tar.xz").is_visible()
    with opened(browser, addresses["index"], script=False) as page:
        page.get_by_text("By digest: exactly this image").click()
        assert page.get_by_text("docker pull").last.is_visible()
    with opened(browser, addresses["SPDX"], script=False) as page:
        page.get_by_role("searchbox").fill("package-23")
        page.get_by_role("button", name="Search").click()
        assert page.get_by_text("11 of 240 components found").is_visible()


def test_a_copy_button_copies_the_command_of_the_host_in_the_address(browser: Browser, served: Served) -> None:
    local = served.url.replace("127.0.0.1", "localhost")
    with opened(browser, f"{local}/image/{REPOSITORY}:v1.14.5") as page:
        button = page.get_by_role("button", name="copy the command for docker").first
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        button.click()
        page.get_by_text("copied").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"docker pull {urlsplit(local).netloc}/{REPOSITORY}:v1.14.5"


def test_the_keyboard_is_enough(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        focused(page, "Skip to the content")
        focused(page, "search repositories")
        page.keyboard.type("cert-manager")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("q=cert-manager"))
        focused(page, REPOSITORY)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/repository/"))
        assert page.get_by_role("heading", name=REPOSITORY).is_visible()


def focused(page: Page, wanted: str) -> None:
    """Press Tab until the element that is looked for has the focus."""
    script = "document.activeElement.ariaLabel || document.activeElement.textContent.trim()"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(script) == wanted:
            return
    raise AssertionError("it cannot be reached")


def test_what_images_say_runs_nothing(browser: Browser, addresses: dict[str, str]) -> None:
    dialogs: list[str] = []
    for url in addresses.values():
        with opened(browser, url) as page:
            page.on("dialog", lambda dialog: dialogs.append(dialog.message))
            page.reload()
            assert page.evaluate("document.querySelectorAll('main script, main img').length") == 0
    assert dialogs == []


def test_a_long_list_prints_on_paper(browser: Browser, served: Served, tmp_path: Path) -> None:
    with opened(browser, f"{served.url}/image/{REPOSITORY}:v1.14.5") as page:
        page.pdf(path=tmp_path / "page.pdf", format="A4")
        page.emulate_media(media="print")
        assert page.locator("button:visible").count() == 0
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
