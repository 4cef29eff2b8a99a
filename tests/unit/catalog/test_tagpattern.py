"""Patterns for tags: those that people write are taken, those that take for ever are not."""

from __future__ import annotations

import pytest

from transload.catalog.tagorder import VERSION_PATTERN
from transload.catalog.tagpattern import check_pattern
from transload.errors import DocumentInvalid


@pytest.mark.parametrize(
    ("pattern", "tag"),
    [
        (VERSION_PATTERN, "v1.42.0_2026-05-12"),
        (r"2019-(?:GDR1|CU([0-9]+)(?:-GDR([0-9]+))?)-ubuntu-([0-9]+)\.([0-9]+)", "2019-CU28-GDR2-ubuntu-20.04"),
        (r"build-([0-9]+)(?:-fix([0-9]+))?", "build-7-fix2"),
        (r".*", "anything"),
        (r".+-rc[0-9]+", "1.2.3-rc4"),
        (r"v[0-9.]+.*", "v1.2-beta"),
        (r".*-.*-[a-z]+", "a-b-c"),
        (r"(?i)V(\d+)\.(\d+)(?:[.-](\w+))?", "v1.2-rc"),
        (r"(?:[0-9]+\.)*[0-9]+", "1.2.3"),
        (r"^v([0-9]+)$", "v1"),
        (r"(v1|v2)[.][0-9]{1,3}", "v2.10"),
    ],
)
def test_what_people_write(pattern: str, tag: str) -> None:
    assert check_pattern(pattern).fullmatch(tag)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+b",
        r"(a*)*",
        r"(a|a)*b",
        r"(a|aa)+b",
        r"([a-z]+[0-9]*)*-",
        r"(?:[a-z.]+-?)+x",
        r".*.*.*x",
        r"\d+\d+\d+\d+x",
        r"a?" * 30 + "a" * 30,
        r"(a|aa)" * 25,
        r"(?:a{1,60}){1,60}b",
        r"(?:.*,?)*x",
        "(" * 40 + "a" + ")*" * 40,
    ],
)
def test_what_takes_for_ever(pattern: str) -> None:
    with pytest.raises(DocumentInvalid, match="could take for ever"):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"(?=a+)a", r"(a+)\1", r"(?<!x)a", r"(?!a)b"])
def test_what_cannot_be_judged(pattern: str) -> None:
    with pytest.raises(DocumentInvalid, match="must not look ahead"):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(", "[", "a" * 201, "(" * 150, "a{99999999999}", "[[a]"])
def test_what_is_none(pattern: str) -> None:
    with pytest.raises(DocumentInvalid):
        check_pattern(pattern)
