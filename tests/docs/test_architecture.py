"""The architecture page names the floors that `tests/test_floors.py` holds, and files that exist."""

from __future__ import annotations

import re

from tests.docs.pages import DOCS, ROOT
from tests.test_floors import FLOORS

PAGE = (DOCS / "architecture.md").read_text()


def test_the_table_of_floors_is_the_one_that_is_held() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    told = [set(re.findall(r"`(\w+)`", packages)) for _, packages in rows]
    assert [int(number) for number, _ in rows] == list(range(len(rows) - 1, -1, -1))
    assert told[::-1] == [floor for floor in FLOORS if floor != {"__main__"}]


def test_the_files_it_sends_to_exist() -> None:
    table = PAGE.partition("## Where to change what")[2].partition("##")[0]
    for path in re.findall(r"`([\w/*.]+\.(?:py|yaml))`", table):
        assert list((ROOT / "src" / "transload").glob(path)), path
