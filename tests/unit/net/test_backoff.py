"""When a host is asked again, on a clock that tells the time by being slept on."""

from __future__ import annotations

import email.utils
from collections.abc import Callable

import pytest

from tests.unit.registry.wire import HastyClock
from transload.errors import Interrupted
from transload.net.backoff import Backoff, delay_s, retry_after_s
from transload.threads import Cancellation

NOW_S = 1_700_000_000.0
A_DAY_S = 86_400


def date(moment_s: float) -> str:
    return email.utils.formatdate(moment_s, usegmt=True)


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after_s({"Retry-After": "120"}, NOW_S) == 120
    assert retry_after_s({"Retry-After": date(NOW_S + 90)}, NOW_S) == 90
    assert retry_after_s({"Retry-After": date(NOW_S - 90)}, NOW_S) == 0
    for nonsense in ("", "soon", "-5", "1.5", "²", "Wed, 99 Foo", "9" * 30):
        assert retry_after_s({"Retry-After": nonsense}, NOW_S) is None
    assert retry_after_s({}, NOW_S) is None


@pytest.mark.parametrize("skew_s", [-A_DAY_S, -600, 600, A_DAY_S])
@pytest.mark.parametrize("form", [date, lambda moment_s: f"{moment_s:.0f}", lambda moment_s: f"{moment_s * 1000:.0f}"])
def test_a_date_is_compared_to_the_clock_of_who_sent_it(skew_s: float, form: Callable[[float], str]) -> None:
    """As a date, and as the seconds or milliseconds since 1970 that Docker Hub's API sends."""
    there_s = NOW_S + skew_s
    assert retry_after_s({"Retry-After": form(there_s + 90), "Date": date(there_s)}, NOW_S) == 90
    assert retry_after_s({"Retry-After": form(NOW_S + 90)}, NOW_S) == 90
    assert retry_after_s({"Retry-After": form(NOW_S + 90), "Date": "yesterday"}, NOW_S) == 90
    assert retry_after_s({"Retry-After": form(NOW_S + 90)}) is None
    assert retry_after_s({"Retry-After": "90", "Date": date(there_s)}, NOW_S) == 90


def test_a_wish_for_no_time_at_all_is_no_wish() -> None:
    assert [delay_s(n, 0.0, 1.0) for n in (1, 2, 3)] == [0.5, 1, 2]


def test_delays_grow_to_a_ceiling_and_the_servers_wish_is_not_shortened() -> None:
    assert [delay_s(n, None, 1.0) for n in (1, 2, 3, 4)] == [0.5, 1, 2, 4]
    assert delay_s(10_000, None, 1.0) == 15
    assert delay_s(3, None, 0.0) == 1
    assert delay_s(1, 7.0, 0.0) == 7
    assert 7 < delay_s(1, 7.0, 1.0) <= 7.8


def test_threads_that_fail_together_count_once() -> None:
    clock, token = HastyClock(), Cancellation()
    backoff = Backoff(clock, jitter=lambda: 1.0)
    rounds = [backoff.wait(token) for _ in range(8)]
    for round_ in rounds:
        backoff.failed(round_)
    backoff.wait(token)
    assert clock.slept == [0.5]


def test_failures_in_a_row_wait_longer_and_a_success_forgives() -> None:
    clock, token = HastyClock(), Cancellation()
    backoff = Backoff(clock, jitter=lambda: 1.0)
    for _ in range(3):
        backoff.failed(backoff.wait(token))
    backoff.wait(token)
    backoff.succeeded()
    backoff.failed(backoff.wait(token))
    backoff.wait(token)
    assert clock.slept == [0.5, 1.0, 2.0, 0.5]


def test_a_late_wish_of_the_server_still_counts() -> None:
    clock, token = HastyClock(), Cancellation()
    backoff = Backoff(clock, jitter=lambda: 0.0)
    first, second = backoff.wait(token), backoff.wait(token)
    backoff.failed(first)
    backoff.failed(second, 20.0)
    backoff.wait(token)
    assert clock.slept == [20.0]


def test_a_cancellation_ends_the_wait() -> None:
    token = Cancellation()
    backoff = Backoff(HastyClock(), jitter=lambda: 1.0)
    backoff.failed(backoff.wait(token), 300)
    token.cancel()
    with pytest.raises(Interrupted):
        backoff.wait(token)
