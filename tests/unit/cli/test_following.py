"""What is said of several targets beside their bars: which of them is still planned."""

from __future__ import annotations

import io
from typing import Any

from transload.cli.following import InSilence, Targets
from transload.events import Progressed


def test_what_goes_on_is_that_of_the_first_target_without_a_plan() -> None:
    """A target whose plan was made left its last words there, as if the next one were at that point."""
    told: list[Any] = []
    targets = Targets(("a", "b", "c"), InSilence(io.StringIO()), told.append, lambda: told.append("rest"))
    first, second = targets.working(0), targets.working(1)
    first(early := Progressed("searching", 9, 9))
    second(late := Progressed("surveying", 0, 5))
    assert told == [early]
    targets.waiting(2, 0)
    assert told == [early, early]
    targets.waiting(0, 1)
    assert told[-1] == late
    targets.waiting(1, 0)
    assert told[-1] == "rest"
