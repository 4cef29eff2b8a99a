"""The table of reliability names tests that exist, that CI runs, and that nothing skips."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest
from attrs import frozen

from tests.docs.pages import DOCS, ROOT

PAGE = DOCS / "reliability.md"
_TEST = re.compile(r"`(tests/[\w./-]+\.py)::(\w+)`")
_REPORT = re.compile(r"[\w.-]+#\d+")
_RUN = ("tests/unit/", "tests/docs/", "tests/real/", "tests/kills/")
"""What .ci/run runs: `make test`, `make test-binary` and `make kills`."""


@frozen
class Row:
    """One row of a table: its cells, and the tests that the last one names."""

    cells: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]


def rows() -> Iterator[Row]:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("|---"):
            cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
            if cells[-1] != "shown by":
                yield Row(cells, tuple(_TEST.findall(cells[-1])))


ROWS = list(rows())
NAMED = sorted({test for row in ROWS for test in row.tests})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.cells[0][:40])
def test_every_row_has_an_answer_and_a_test(row: Row) -> None:
    assert all(row.cells)
    assert row.tests
    assert len(row.tests) == row.cells[-1].count("::"), "a test is not written as `tests/…py::name`"


def test_the_thirty_problems_are_there_with_where_they_were_reported() -> None:
    thirty = [row for row in ROWS if row.cells[0].isdigit()]
    assert [int(row.cells[0]) for row in thirty] == list(range(1, 31))
    assert all(_REPORT.search(row.cells[2]) for row in thirty)


def test_pytest_finds_every_test_that_is_named_and_nothing_skips_it() -> None:
    left_out = collected(sorted({path for path, _ in NAMED}))
    assert set(NAMED) <= left_out.keys()
    assert not [test for test in NAMED if left_out[test]]


def test_ci_runs_all_of_it() -> None:
    assert all(path.startswith(_RUN) for path, _ in NAMED)
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert {"make test", "make test-binary", "make kills"} <= set(steps)


def collected(paths: Sequence[str]) -> dict[tuple[str, str], bool]:
    """The tests in these files, and whether their marks leave any of them out."""
    plugin = ["-p", "tests.docs.collected", "-p", "no:cacheprovider"]
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", *plugin, *paths]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=250, check=True).stdout
    left_out: dict[tuple[str, str], bool] = {}
    for test in (json.loads(line) for line in said.splitlines() if line.startswith("{")):
        key = (test["path"], test["name"])
        left_out[key] = left_out.get(key, False) or test["left out"]
    return left_out
