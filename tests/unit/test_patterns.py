"""Regular expressions for texts from outside: what people write is taken, what takes for ever is not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.errors import DocumentInvalid
from transload.limits import IDENTITY_LENGTH
from transload.patterns import ANY_LETTERS, Texts
from transload.trust.wanted import Wanted

SMALL = Texts("it", "text", letters=ANY_LETTERS, length=20, work=20**3)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (r"^https://.*$", "https://a"),
        (r"https://github\.com/vendor/.*", "https://github.com/vendor/app"),
        (
            r"https://github\.com/vendor/[^/]+/\.github/workflows/[^/]+\.ya?ml@refs/tags/v.*",
            "https://github.com/vendor/app/.github/workflows/release.yml@refs/tags/v1",
        ),
        (r".*@vendor\.example", "ann@vendor.example"),
        (r"(?i)ann@VENDOR\.example", "Ann@vendor.example"),
        (r"https://(a|b)\.example/.*/x/.*", "https://a.example/c/x/y"),
        (r"refs/(heads/main|heads/dev|tags/.*)", "refs/tags/1"),
        (r"[a-z]+(\.[a-z]+)*", "a.b.c"),
        (r"\w+ \w+", "Ann Lee"),
        (r"é+", "éé"),
        (r"[^é]+", "ü"),
        ("x" * IDENTITY_LENGTH, "x" * IDENTITY_LENGTH),
    ],
)
def test_what_people_write(expression: str, text: str) -> None:
    assert Wanted(expression, is_regexp=True).accepts(text)


@pytest.mark.parametrize(
    "expression",
    [
        r"(a+)+b",
        r"([a-z]+-?)+x",
        r"(.*/)*x",
        r"(a|a)*b",
        r".*.*.*.*x",
        r"https://.*/.*/.*/.*x",
        r"(é+)+b",
        r"([^é]+)+é",
        r"([à-ü]*)*b",
        r"(\W+)+a",
        r"(\s+)+a",
    ],
)
def test_what_takes_for_ever(expression: str) -> None:
    with pytest.raises(DocumentInvalid, match="could take for ever"):
        Wanted(expression, is_regexp=True)


@pytest.mark.parametrize("expression", [r"(?=a+)a", r"(a+)\1", r"(?<!x)a", r"(?!a)b", "(", "a{99999999999999}", "[[a]"])
def test_what_cannot_be_judged(expression: str) -> None:
    with pytest.raises(DocumentInvalid):
        Wanted(expression, is_regexp=True)


PART = st.sampled_from(["a", "b", "é", ".", "[ab]", "[^a]", r"\w", r"\W", "(ab|a)", "(a|b)", "(a*b)", "()", "(é|a)"])
PARTS = st.lists(st.tuples(PART, st.sampled_from(["", "*", "+", "?", "{2,9}", "*?"])), max_size=7)


@given(parts=PARTS, inside=st.booleans(), text=st.text("abé/", max_size=20))
def test_what_is_taken_comes_to_an_end(parts: list[tuple[str, str]], inside: bool, text: str) -> None:
    """Were the choices not counted, some of these would take years."""
    expression = "".join(part + repeat for part, repeat in parts)
    expression = f"({expression})*x" if inside else f"{expression}x"
    try:
        pattern = SMALL.check(expression)
    except DocumentInvalid:
        return
    assert bool(pattern.fullmatch(text)) == bool(re.fullmatch(expression, text, re.ASCII))
