from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.catalog.versionrange import VersionRange, order_key
from transload.errors import DocumentInvalid

TAGS = st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}|v?[0-9]{1,3}(\.[0-9]{1,3}){0,3}([-_.][a-z0-9.-]{1,8})?", fullmatch=True
)


@pytest.mark.parametrize(
    ("versions", "inside", "outside"),
    [
        (">=1.40 <2", ["1.40", "v1.46.0_2026-05-12", "1.99.9", "1.40-slim"], ["1.39.9", "2", "2.0.0-rc.1", "3.1"]),
        (">=1.40, <2", ["1.40"], ["2"]),
        (">= 1.40  < 2", ["1.40"], ["2"]),
        ("^1.2", ["1.2", "1.2.0", "1.99"], ["1.1.9", "2.0", "2"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.2.2", "0.3.0", "1.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0", ["0.9"], ["1.0"]),
        ("~1.2.3", ["1.2.3", "1.2.10"], ["1.2.2", "1.3.0"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.3"]),
        ("~1", ["1.9"], ["2.0"]),
        ("~> 1.2", ["1.2.9"], ["1.3"]),
        ("1.x", ["1.0", "1.99.1", "1"], ["2.0", "0.9"]),
        ("v1.2.*", ["1.2.7", "v1.2"], ["1.3"]),
        ("1.2", ["1.2", "1.2.7"], ["1.20", "1.3"]),
        ("=1.2.3", ["1.2.3", "v1.2.3", "1.2.3-slim"], ["1.2.4", "1.2.3-rc.1"]),
        ("!=1.2 >=1", ["1.3", "1.1"], ["1.2", "1.2.9", "0.9"]),
        (">1.40", ["1.41", "2"], ["1.40", "1.40.7"]),
        ("<=1.40", ["1.40", "1.40.7", "1.2"], ["1.41"]),
        ("1.2 - 1.4", ["1.2", "1.4.9"], ["1.1", "1.5"]),
        ("1.x || >=3 <4", ["1.5", "3.2"], ["2.0", "4.0"]),
        ("*", ["1", "0.1", "v3.2-slim"], ["latest", "1.0-rc.1", "7dba4f2"]),
        (">=3.10-slim <4", ["3.11-slim", "3.10.2-slim"], ["3.11", "3.11-alpine", "3.9-slim", "3.11-slim-bookworm"]),
        ("3.x-alpine", ["3.2-alpine"], ["3.2"]),
        (">=1.46.0_2026-05-01", ["v1.46.0_2026-05-12", "1.47"], ["v1.46.0_2026-04-30", "1.46.0"]),
        (">=1.2.3-rc.2", ["1.2.3-rc.2", "1.2.3-rc.10", "1.2.3", "1.3.0-alpha"], ["1.2.3-rc.1", "1.2.3-beta.9"]),
        (">=1.0.0-0 <2", ["1.0.0-alpha", "1.5.0-rc.1", "1.5"], ["0.9", "2.0.0-rc.1"]),
        (">=3.13", ["3.13.0"], ["3.13.0rc1", "3.14.0a2-slim", "3.14.0b1"]),
        (">=2026-01-01", ["2026-05-12", "2026.5.12"], ["2025-12-31"]),
    ],
)
def test_what_a_range_admits(versions: str, inside: list[str], outside: list[str]) -> None:
    wanted = VersionRange.parse(versions)
    assert [tag for tag in inside if not wanted.admits(tag)] == []
    assert [tag for tag in outside if wanted.admits(tag)] == []


@given(TAGS)
def test_what_a_range_means_in_other_words(tag: str) -> None:
    for text, meaning in {
        ">=1.40, <2": ">=1.40 <2",
        "1.2.x": "1.2",
        "=1.2": "1.2.*",
        "^1.2": ">=1.2 <2",
        "^0.2.3": ">=0.2.3 <0.3",
        "~1.2.3": ">=1.2.3 <1.3",
        "~1.2": ">=1.2 <1.3",
        "~1": ">=1 <2",
        "1.2 - 1.4": ">=1.2 <=1.4",
    }.items():
        assert VersionRange.parse(text).admits(tag) == VersionRange.parse(meaning).admits(tag), text


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("latest", "it is not a version"),
        ("1.39", "it is not in >=1.40-slim"),
        ("1.41-rc.1-slim", "it is a pre-release"),
        ("1.41-alpine", "it does not end in -slim"),
    ],
)
def test_a_refusal_says_why(tag: str, why: str) -> None:
    assert VersionRange.parse(">=1.40-slim").refusal(tag) == why


def test_pre_releases_can_be_admitted() -> None:
    assert not VersionRange.parse("^1.2").admits("1.3.0-rc.1")
    assert VersionRange.parse("^1.2", prerelease=True).admits("1.3.0-rc.1")
    assert not VersionRange.parse("^1.2", prerelease=True).admits("2.0.0-rc.1")


SEMANTIC = ["1.9", "1.10.0-rc.1", "1.10.0-slim", "v1.10.0", "1.10.1-slim", "2.0.0-rc.1", "1.10.0_x", "1.10.x", "main"]


@pytest.mark.parametrize(
    ("text", "prerelease", "taken"),
    [
        ("^1", False, ["1.9", "v1.10.0"]),
        ("^1", True, ["1.9", "1.10.0-rc.1", "1.10.0-slim", "v1.10.0", "1.10.1-slim"]),
        (">=1.10.0", True, ["v1.10.0", "1.10.1-slim", "2.0.0-rc.1"]),
        (">=1.10.0-0", False, ["1.10.0-rc.1", "1.10.0-slim", "v1.10.0", "1.10.1-slim", "2.0.0-rc.1"]),
        ("<=1.10.0-slim", False, ["1.9", "1.10.0-rc.1", "1.10.0-slim"]),
        ("=1.10.0", True, ["v1.10.0"]),
    ],
)
def test_semantic_versions_have_pre_releases_and_no_suffixes(text: str, prerelease: bool, taken: list[str]) -> None:
    versions = VersionRange.parse(text, prerelease=prerelease, semver=True)
    assert [tag for tag in SEMANTIC if versions.admits(tag)] == taken


def test_the_order_of_semantic_versions() -> None:
    tags = ["v1.10.0", "1.10.0-slim", "1.10.1-slim", "1.10.0-rc.1", "main", "1.9"]
    ordered = ["main", "1.9", "1.10.0-rc.1", "1.10.0-slim", "v1.10.0", "1.10.1-slim"]
    assert sorted(tags, key=partial(order_key, semver=True)) == ordered


NO_RANGES = ["", " ", "||", "1 ||", "=>1", "latest", ">", "1..2", "1.", ">=1 -", "<x", "^*", "x-slim", "1.x.2", "1,,2"]


@pytest.mark.parametrize("text", [*NO_RANGES, "1 2²", "a" * 201])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(DocumentInvalid, match="is not a range of versions|over the limit"):
        VersionRange.parse(text)


def test_two_suffixes_exclude_each_other() -> None:
    with pytest.raises(DocumentInvalid, match="names two suffixes"):
        VersionRange.parse(">=1-slim <2-alpine")


def test_the_order_of_tags() -> None:
    oldest_first = [
        "latest",
        "sha-7dba4f2",
        "0.9",
        "1.9.0-alpha",
        "1.9.0-alpha.2",
        "1.9.0-alpha.10",
        "1.9.0-beta",
        "v1.9.0-rc.1",
        "1.9.0-rc.1-slim",
        "1.9.0-rc10",
        "v1.9.0",
        "1.9.0-slim",
        "1.9.0_2026-04-30",
        "1.9.0_2026-05-12",
        "v1.10.0",
    ]
    assert sorted(sorted(oldest_first), key=order_key) == oldest_first


@given(st.lists(TAGS, max_size=12))
def test_the_order_is_total(tags: list[str]) -> None:
    keys = {tag: order_key(tag) for tag in tags}
    assert len(set(keys.values())) == len(keys)
    for first in tags:
        for second in tags:
            assert (keys[first] < keys[second]) + (keys[first] > keys[second]) == (first != second)


@given(st.text(max_size=60))
def test_any_text_is_a_range_or_a_clear_error(text: str) -> None:
    try:
        wanted = VersionRange.parse(text)
    except DocumentInvalid:
        return
    wanted.admits("1.2.3")
    assert str(wanted) == text.strip()


@given(st.text(max_size=300))
def test_any_text_can_be_judged(text: str) -> None:
    order_key(text)
    order_key(f"1.2-{text}{'9' * 5000}")
    VersionRange.parse(">=1.0-rc.1 || 2.x-slim").refusal(text)


@given(TAGS, TAGS)
def test_a_version_is_on_one_side_of_a_bound(tag: str, bound: str) -> None:
    try:
        below, above = (VersionRange.parse(f"{operator}{bound}", prerelease=True) for operator in ("<", ">="))
    except DocumentInvalid:
        return
    assert not (below.admits(tag) and above.admits(tag))
    if tag.replace(".", "").isdigit():  # neither a pre-release, which is on no side of its number, nor a suffix
        sides = below.admits(tag), above.admits(tag)
        assert (
            any(sides) or "it does not end" in str(above.refusal(tag)) or "it does not end" in str(below.refusal(tag))
        )
