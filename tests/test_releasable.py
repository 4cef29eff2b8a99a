"""A release needs its tag, its date, addresses that exist, and all its files."""

from __future__ import annotations

import pytest

from tools.releasable import PARTS, obstacles

PROJECT = '[project.urls]\nSource = "https://example.com"\n\n[project.scripts]\nx = "not.invalid"\n'
CHANGELOG = "# Changelog\n\n## 1.2.3, 2026-11-26\n\n* It works.\n\n## 1.2.2, 2026-11-01\n"
FILES = {part.format("1.2.3") for part in PARTS}


def test_nothing_stands_in_the_way() -> None:
    assert not list(obstacles("v1.2.3", "1.2.3", PROJECT, CHANGELOG, FILES))


@pytest.mark.parametrize(
    ("tag", "project", "changelog", "files", "said"),
    [
        ("v1.2.4", PROJECT, CHANGELOG, FILES, "the tag is v1.2.4"),
        ("v1.2.3", PROJECT.replace("example.com", "example.invalid"), CHANGELOG, FILES, "[project.urls]"),
        ("v1.2.3", PROJECT, CHANGELOG.replace("2026-11-26", "unreleased"), FILES, "CHANGELOG.md"),
        ("v1.2.3", PROJECT, CHANGELOG.replace("1.2.3", "1.2.30"), FILES, "CHANGELOG.md"),
        ("v1.2.3", PROJECT, "# Changelog\n", FILES, "CHANGELOG.md"),
        ("v1.2.3", PROJECT, CHANGELOG, FILES - {"transload.pyz"}, "dist/transload.pyz is missing"),
    ],
)
def test_what_stands_in_the_way_is_said(tag: str, project: str, changelog: str, files: set[str], said: str) -> None:
    (obstacle,) = obstacles(tag, "1.2.3", project, changelog, files)
    assert said in obstacle
