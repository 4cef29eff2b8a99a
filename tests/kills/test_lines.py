"""A line on which one request of a hundred fails and every tenth blob breaks costs few bytes more than a good one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kills import lines
from tests.kills.rounds import Rounds

SEEDS = ("a", "b", "c")


@pytest.fixture(scope="module")
def vendor() -> Iterator[lines.Vendor]:
    with lines.vendor() as served:
        yield served


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", lines.KINDS)
def test_a_bad_line_costs_few_bytes(
    rounds: Rounds, vendor: lines.Vendor, kind: str, seed: str, tmp_path: Path, record_property: Callable[..., None]
) -> None:
    folder = tmp_path / f"lines-{kind}-{seed}"
    folder.mkdir()
    carried = lines.carry(kind, rounds.world.registry, vendor, folder, seed)
    told = {"scene": f"bad line, {kind}", "read": carried.fetched / carried.total}
    record_property("passed", told | {"share": None, "sent": carried.received / carried.total})
    carried.check()
