"""The time left is shown only where the bytes tell it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from transload.report.speed import Speed

RATE = 1_000_000


def moving(seconds: int) -> Speed:
    speed = Speed(0.0)
    for second in range(seconds + 1):
        speed.heard(second * RATE, float(second))
    return speed


def test_the_time_left_is_that_of_the_bytes_that_are_open() -> None:
    assert moving(5).left_s(2 * RATE, 5.0) == 2.0


def test_a_long_wait_for_the_first_byte_says_nothing_of_the_time_left() -> None:
    """It was counted as if the line had been slow: with 5 s of waiting, three times as long was shown at first."""
    told = run(20 * RATE, lambda now_s, _: RATE if now_s > 5 else 0)
    shown = [(truth, left_s) for _, truth, left_s in told if left_s is not None and truth > 1]
    assert len(shown) > 40
    assert all(left_s == pytest.approx(truth, rel=0.1) for truth, left_s in shown)


def test_when_all_bytes_have_moved_they_do_not_tell_how_long_the_last_requests_take() -> None:
    """A run that waited for its last answers said "0.0 s left"."""
    assert moving(5).left_s(0, 5.0) is None


def run(total: int, rate: Callable[[float, int], float]) -> list[tuple[float, float, float | None]]:
    """The share of `total` that had moved, the time left in truth, and the one that was shown, five times a second."""
    speed, now_s, moved, told = Speed(0.0), 0.0, 0, []
    while moved < total:
        now_s += 0.2
        moved = min(total, moved + int(rate(now_s, moved) * 0.2))
        speed.heard(moved, now_s)
        told.append((moved / total, now_s, speed.left_s(total - moved, now_s)))
    return [(share, now_s - at_s, shown) for share, at_s, shown in told]


@pytest.mark.parametrize(
    "rate",
    [
        lambda now_s, _: 4 * RATE if now_s % 40 < 32 else 0,
        lambda now_s, _: 4 * RATE if now_s % 12 < 8 else 0,
        lambda now_s, _: (1.5 if now_s // 10 % 2 else 5) * RATE,
    ],
    ids=["stalls now and then", "stalls often", "comes and goes"],
)
def test_on_a_line_that_comes_and_goes_the_time_left_is_nearly_right(rate: Callable[[float, int], float]) -> None:
    told = [(truth, shown) for share, truth, shown in run(600 * RATE, rate) if shown is not None and 0.1 < share < 0.9]
    wrong = [pair for pair in told if not 0.5 <= pair[1] / pair[0] <= 2]
    assert len(told) > 200
    assert not wrong


def test_after_the_line_has_changed_the_time_left_is_not_shown_until_it_can_be_known() -> None:
    """After crumbs of a stalled line, a run said "47 min left" and took 20 s."""
    told = run(600 * RATE, lambda now_s, _: 4 * RATE if now_s < 4 or now_s > 24 else 0 if now_s < 14 else 40_000)
    end_s = told[0][1]
    assert all(left_s is None for _, truth, left_s in told if 14 < end_s - truth < 24), "these crumbs tell nothing"
    steady = [(truth, left_s) for _, truth, left_s in told if left_s is not None and end_s - truth > 36 and truth > 5]
    assert all(0.5 <= left_s / truth <= 2 for truth, left_s in steady)
    slower = run(600 * RATE, lambda _, moved: 4 * RATE if moved < 300 * RATE else RATE / 2)
    rest = [(truth, left_s) for share, truth, left_s in slower if share > 0.55 and left_s is not None and truth > 5]
    assert rest, "it is known again"
    assert all(0.5 <= left_s / truth <= 2 for truth, left_s in rest)
