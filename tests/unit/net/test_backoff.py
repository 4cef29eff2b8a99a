"""When a host is asked again, on a clock that tells the time by being slept on."""

from __future__ import annotations

import email.utils

import pytest

from tests.unit.registry.wire import HastyClock
from transload.errors import Interrupted
from transload.net.backoff import Backoff, delay_s, retry_after_s
from transload.threads import Cancellation


def test_retry_after_is_seconds_or_a_date() -> None:
    now_s = 1_700_000_000.0
    assert retry_after_s("120", now_s) == 120
    assert retry_after_s(email.utils.formatdate(now_s + 90, usegmt=True), now_s) == 90
    assert retry_after_s(email.utils.formatdate(now_s - 90, usegmt=True), now_s) == 0
    for nonsense in (None, "", "soon", "-5", "1.5", "²", "Wed, 99 Foo"):
        assert retry_after_s(nonsense, now_s) is None


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
