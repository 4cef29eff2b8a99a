"""Links between pages lead to files and headings that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, label, links


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{label(page)}: {link} leads nowhere"
        assert there.is_relative_to(ROOT), f"{label(page)}: {link} leads out of the project"
        if anchor:
            assert anchor in anchors(there), f"{label(page)}: {link}: there is no such heading"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for link in links(page):
            there = (page.parent / link.partition("#")[0]).resolve()
            if "://" not in link:
                waiting += there.glob("*.md") if there.is_dir() else [there]
    assert set(PAGES) <= reached, {label(page) for page in set(PAGES) - reached}
