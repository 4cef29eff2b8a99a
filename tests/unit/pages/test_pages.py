"""Pages are escaped, harmless and self-contained, whatever is put into them."""

from __future__ import annotations

import base64
import doctest
import hashlib
import re
import sys

import pytest
from jinja2 import DictLoader, UndefinedError

from transload import pages
from transload.errors import PartMissing


@pytest.fixture(autouse=True)
def templates(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Templates of the test, beside ours."""
    given: dict[str, str] = {}
    made = pages.environment.__wrapped__()
    ours = made.loader
    made.loader = DictLoader(given)
    assert ours is not None
    given["base.html"] = ours.get_source(made, "base.html")[0]
    monkeypatch.setattr(pages, "environment", lambda: made)
    return given


def test_the_examples_in_docstrings_hold() -> None:
    outcome = doctest.testmod(pages)
    assert (outcome.attempted, outcome.failed) == (2, 0)


HOSTILE = "<script>alert(1)</script>\"'&\u202egnp.exe\u200b\x1b[31m"


def test_texts_are_escaped_and_harmless_wherever_they_stand(templates: dict[str, str]) -> None:
    templates["one.html"] = (
        '{% extends "base.html" %}{% block main %}<p title="{{ text }}">{{ text }}</p>'
        "{% for one in [text] %}<i>{{ one|upper }}</i>{% endfor %}{% endblock %}"
    )
    made = pages.render("one.html", title=HOSTILE, text=HOSTILE).text
    assert made.count("<script") == made.count("</script") == 0
    assert 'title="&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;?gnp.exe??[31m"' in made
    assert not set(made) & {"\u202e", "\u200b", "\x1b"}


def test_a_long_text_is_cut(templates: dict[str, str]) -> None:
    templates["one.html"] = "{{ text }}"
    assert len(pages.render("one.html", text="x" * 10_000_000).text) < 5000


def test_a_name_that_is_missing_is_an_error(templates: dict[str, str]) -> None:
    templates["one.html"] = "{{ nothing }}"
    with pytest.raises(UndefinedError):
        pages.render("one.html")


def test_the_policy_names_what_is_in_the_page_and_nothing_else(templates: dict[str, str]) -> None:
    templates["one.html"] = '{% extends "base.html" %}'
    page = pages.render("one.html", scripts=("copy.js",), title="x")
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", page.text, re.DOTALL)
        wanted = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{wanted}'" in page.policy
    assert "default-src 'none'" in page.policy
    assert "http" not in re.sub(r'http-equiv|lang="en"', "", page.text)
    assert "script-src 'none'" in pages.render("one.html", title="x").policy


def test_without_jinja2_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(PartMissing, match="writing a report needs the package jinja2") as caught:
        pages.check_pages("writing a report")
    assert "transload[html]" in (caught.value.hint or "")
