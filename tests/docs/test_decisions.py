"""The records of decisions: numbered without gaps, each in the list, each with its three parts and short."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, label, links

FOLDER = DOCS / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))


def test_numbers_have_no_gaps() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_every_record_is_listed_in_order() -> None:
    assert links(FOLDER / "README.md") == [record.name for record in RECORDS]


@pytest.mark.parametrize("record", RECORDS, ids=label)
def test_a_record_has_its_parts(record: Path) -> None:
    lines = record.read_text().splitlines()
    assert lines[0].startswith(f"# {record.name[:4]}. ")
    assert [line for line in lines if line.startswith("## ")] == ["## Context", "## Decision", "## Consequence"]
    assert len(lines) <= 30
