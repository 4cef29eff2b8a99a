"""The time left is shown only where the bytes tell it."""

from __future__ import annotations

from transload.report.speed import Speed

RATE = 1_000_000


def moving(seconds: int) -> Speed:
    speed = Speed(0.0)
    for second in range(seconds + 1):
        speed.heard(second * RATE, float(second))
    return speed


def test_the_time_left_is_that_of_the_bytes_that_are_open() -> None:
    assert moving(5).left_s(2 * RATE, 5.0) == 2.0


def test_when_all_bytes_have_moved_they_do_not_tell_how_long_the_last_requests_take() -> None:
    """A run that waited for its last answers said "0.0 s left"."""
    assert moving(5).left_s(0, 5.0) is None
