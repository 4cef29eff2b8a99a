"""Platforms: what is the same, what satisfies what."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.errors import PlatformInvalid
from transload.oci import Platform


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("linux/amd64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        (" Linux/AMD64 ", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("x86-64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("linux/s390x", "linux/s390x"),
        ("windows/amd64", "windows/amd64"),
        ("macos/arm64", "darwin/arm64"),
    ],
)
def test_platforms_that_are_written(text: str, written: str) -> None:
    platform = Platform.parse(text)
    assert str(platform) == written
    assert Platform.parse(written) == platform


@pytest.mark.parametrize(
    "text", ["", "/", "linux", "windows", "linux/", "/amd64", "a/b/c/d", "linux/am d64", "lînux/amd64"]
)
def test_texts_that_are_no_platform(text: str) -> None:
    with pytest.raises(PlatformInvalid, match="is not a platform"):
        Platform.parse(text)


@given(st.text(max_size=30) | st.text("armlinux64/v78 ", max_size=20))
def test_any_text_is_a_platform_or_refused(text: str) -> None:
    with contextlib.suppress(PlatformInvalid):
        platform = Platform.parse(text)
        assert Platform.parse(str(platform)) == platform
        assert platform.satisfies(platform)


@pytest.mark.parametrize(
    ("image", "wanted", "expected"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/amd64", "linux/amd64/v1", True),
        ("linux/amd64", "linux/amd64/v3", False),
        ("linux/amd64/v3", "linux/amd64", True),
        ("linux/arm64", "linux/arm64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64/v8", "linux/arm64/v9", False),
        ("linux/arm64", "linux/arm64/v9", False),
        ("linux/arm/v6", "linux/arm", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm", "linux/arm/v6", False),
        ("linux/arm/v7", "linux/arm64", False),
        ("unknown/unknown", "linux/amd64", False),
    ],
)
def test_which_image_satisfies_which_wish(image: str, wanted: str, expected: bool) -> None:
    stated = Platform(*image.split("/"))  # as an index states it, nothing normalised
    assert stated.satisfies(Platform.parse(wanted)) is expected
    assert stated.satisfies(Platform(*wanted.split("/"))) is expected


def test_an_index_may_use_the_names_of_the_kernel() -> None:
    assert Platform("linux", "aarch64").satisfies(Platform.parse("linux/arm64"))
    assert Platform("linux", "x86_64").satisfies(Platform.parse("linux/amd64"))
    assert Platform("linux", "arm", "7").satisfies(Platform.parse("linux/arm/v7"))


def test_versions_of_windows() -> None:
    image = Platform("windows", "amd64", os_version="10.0.17763.5696")
    assert image.satisfies(Platform("windows", "amd64"))
    assert image.satisfies(Platform("windows", "amd64", os_version="10.0.17763.5696"))
    assert not image.satisfies(Platform("windows", "amd64", os_version="10.0.20348.2402"))
    assert not Platform("windows", "amd64").satisfies(image)


TEXTS = st.text(max_size=8)
PLATFORMS = st.builds(Platform, TEXTS, TEXTS, TEXTS, TEXTS)


@given(PLATFORMS)
def test_round_trip(platform: Platform) -> None:
    document = platform.to_json()
    assert Platform.from_json(document) == platform
    assert "" not in document.values()


@given(PLATFORMS)
def test_a_platform_satisfies_itself(platform: Platform) -> None:
    assert platform.satisfies(platform)


@pytest.mark.parametrize("document", [{}, {"os": 5, "architecture": None, "variant": [], "os.version": {}}])
def test_fields_that_are_no_text_are_empty(document: dict[str, Any]) -> None:
    assert Platform.from_json(document) == Platform("", "")
