"""What all pages share, in a browser: readable in both schemes, no complaint, and copy buttons that copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.real.browser import opened, violations, violations_anywhere

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page with everything that `base.css` has."""
    from jinja2 import ChoiceLoader, DictLoader

    from transload import pages

    template = """{% extends "base.html" %}{% block main %}<h1>All</h1>
      <section class="card verdict good"><p><span class="badge good">complete</span>
      <span class="badge bad">failed</span> <span class="badge warn">parked</span>
      <span class="badge plain">unchanged</span> <span class="soft">soft</span></p>
      <p>Run <code>transload push</code> <a href="#main">again</a></p><pre><code>one
      two</code></pre><dl class="facts"><div><dt>Name</dt><dd>value</dd></div></dl></section>
      <button class="copy needs-script" data-copy="sha256:ab">copy</button>{% endblock %}
      {% block foot %}<p>foot</p>{% endblock %}"""
    made = pages.environment.__wrapped__()
    assert made.loader is not None
    made.loader = ChoiceLoader([DictLoader({"sample.html": template}), made.loader])
    monkeypatch.setattr(pages, "environment", lambda: made)
    path = tmp_path / "sample.html"
    path.write_text(pages.render("sample.html", title="All", scripts=("copy.js",)).text, encoding="utf-8")
    return path


def test_what_pages_share_is_readable(browser: Browser, sample: Path) -> None:
    with opened(browser, sample.as_uri()) as page:
        assert violations_anywhere(page, "shared") == {}


def test_what_is_wrong_only_on_dark_phones_is_found(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    style = "@media (prefers-color-scheme: dark) and (max-width: 400px) { p { color: #333; background: #222 } }"
    path.write_text(
        f'<!doctype html><html lang="en"><title>x</title><style>{style}</style><main><h1>x</h1><p>dim', encoding="utf-8"
    )
    with opened(browser, path.as_uri()) as page:
        found = violations_anywhere(page, "bad")
    assert found.keys() == {"phone dark"}
    assert found["phone dark"][0].startswith("color-contrast: p: ")


def test_what_is_hard_to_read_is_found(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text('<!doctype html><title>x</title><p style="color:#ccc;width:2000px">pale</p>', encoding="utf-8")
    with opened(browser, path.as_uri()) as page:
        found = violations(page)
    assert {one.partition(":")[0] for one in found} >= {"color-contrast", "html-has-lang"}
    assert found[-1].startswith("the page is 2")


def test_a_request_to_another_host_is_found(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text('<!doctype html><title>x</title><img src="http://127.0.0.1:9/x.png">', encoding="utf-8")
    with pytest.raises(AssertionError, match=r"127\.0\.0\.1:9"), opened(browser, path.as_uri()) as page:
        page.wait_for_load_state()


def test_copy_buttons_copy_and_are_not_shown_without_script(browser: Browser, sample: Path) -> None:
    with opened(browser, sample.as_uri()) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.click("button.copy")
        page.wait_for_function("document.querySelector('button.copy').textContent === 'copied'")
        page.evaluate("document.body.append(document.createElement('textarea'))")
        page.focus("textarea")
        page.keyboard.press("Control+V")
        assert page.input_value("textarea") == "sha256:ab"
    with opened(browser, sample.as_uri(), script=False) as page:
        assert not page.is_visible("button.copy")
