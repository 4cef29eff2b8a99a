"""Bodies keep to a rate, whatever its size, without being taken for silent or slow."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.unit.net.test_http import Sequence, get
from tests.unit.registry.wire import HastyClock, Said, plain_http, serving
from transload.clock import SYSTEM_CLOCK
from transload.errors import Interrupted
from transload.net.messages import HttpRequest
from transload.net.pace import Bucket, Meter, Pace, Turns
from transload.net.rates import RateLimits
from transload.threads import Cancellation

RATES = [1e3, 50e3, 1e6, 20e6, 500e6]


@pytest.mark.parametrize("rate", RATES)
def test_five_seconds_take_five_seconds(rate: float) -> None:
    clock, token = HastyClock(), Cancellation()
    bucket, moved = Bucket(rate, clock), 0
    while moved < 5 * rate:
        bucket.take(bucket.piece, token)
        moved += bucket.piece
    slack = 2 * bucket.piece / rate
    assert 5 - slack <= sum(clock.slept) <= 5 + slack
    assert max(clock.slept) <= max(0.05, bucket.piece / rate) + 0.001


@pytest.mark.parametrize("rate", RATES)
def test_a_pause_is_not_made_up_for(rate: float) -> None:
    """After a minute without a byte, a tenth of a second and one piece may come at once, no more."""
    clock, token = HastyClock(), Cancellation()
    bucket = Bucket(rate, clock)
    clock.sleep_s(60)
    clock.slept.clear()
    moved = 0
    while not clock.slept:
        bucket.take(bucket.piece, token)
        moved += bucket.piece
    assert moved <= rate / 10 + 2 * bucket.piece


def test_what_did_not_move_is_given_back() -> None:
    clock, token = HastyClock(), Cancellation()
    bucket = Bucket(100e3, clock)
    for _ in range(100):
        bucket.take(bucket.piece, token)
        bucket.give_back(bucket.piece - 10)
    assert sum(clock.slept) == pytest.approx(0, abs=0.01)


def test_threads_take_turns_in_the_order_in_which_they_come() -> None:
    turns, token, order = Turns(), Cancellation(), list[int]()

    def move(number: int) -> None:
        with turns.turn(token):
            order.append(number)

    threads = [threading.Thread(target=move, args=(number,)) for number in range(8)]
    with turns.turn(token):
        for count, thread in enumerate(threads, 1):
            thread.start()
            while len(turns._waiting) < count:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_a_cancellation_ends_the_wait_of_all() -> None:
    token = Cancellation()
    bucket = Bucket(1e3, SYSTEM_CLOCK)
    bucket.take(bucket.piece, token)
    ended: list[bool] = []

    def move() -> None:
        try:
            bucket.take(bucket.piece, token)
        except Interrupted:
            ended.append(True)

    threads = [threading.Thread(target=move) for _ in range(4)]
    for thread in threads:
        thread.start()
    token.cancel()
    for thread in threads:
        thread.join(30)
    assert ended == [True] * 4


def test_each_side_keeps_its_own_limit_and_all_keep_that_of_the_whole() -> None:
    pace = Pace(RateLimits(whole=100e3, source=50e3), HastyClock(), Cancellation())

    def rates(meter: Meter | None) -> list[float]:
        return sorted(bucket._rate for bucket in meter.buckets) if meter else []

    assert rates(pace.received("source")) == rates(pace.sent("source")) == [50e3, 100e3]
    assert rates(pace.received("target")) == rates(pace.sent(None)) == [100e3]
    assert rates(pace.copied("source", "target")) == [50e3, 100e3]
    assert rates(pace.copied("source")) == [50e3]
    assert rates(pace.copied("target")) == rates(pace.copied()) == []
    assert Pace(RateLimits(target=1e6), HastyClock(), Cancellation()).received("source") is None


BODY = bytes(500_000)
LIMITS = RateLimits(whole=50e3)


def chunks() -> Iterator[bytes]:
    for _ in range(5):
        yield BODY[:100_000]


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_in_both_directions_keep_to_it(chunked: bool) -> None:
    """10 s each, though the budget of the host is 2 s and a second without a byte is too slow for it."""
    answer = Said(body=BODY, headers={})
    with (
        serving(Sequence(answer)) as wire,
        plain_http(limits=LIMITS, give_up_after_s=2, stall_timeout_s=1, min_rate=10_000) as http,
    ):
        assert isinstance(http.clock, HastyClock)
        with http.stream(get(wire, lane="read")) as got:
            assert sum(map(len, got.chunks())) == len(BODY)
        assert sum(http.clock.slept) == pytest.approx(10, rel=0.03)
        http.clock.slept.clear()
        assert http.ask(get(wire, limit=len(BODY))).body == BODY
        assert sum(http.clock.slept) == pytest.approx(10, rel=0.03)
        http.clock.slept.clear()
        sent = HttpRequest(
            "PUT",
            f"http://{wire.host}/",
            "sending",
            "test",
            body=chunks() if chunked else BODY,
            length=len(BODY),
            lane="write",
            retried=False,
        )
        http.ask(sent)
        assert sum(http.clock.slept) == pytest.approx(20, rel=0.03), "and 10 s for the answer"
        assert wire.asked[-1].body == BODY
        assert wire.asked[-1].headers["Content-Length"] == str(len(BODY))
        assert "Transfer-Encoding" not in wire.asked[-1].headers
        assert http.traffic.bytes_sent == len(BODY)


def test_what_is_sent_again_counts_again() -> None:
    with serving(Sequence(Said(503), Said(503), Said())) as wire, plain_http(limits=RateLimits(whole=50e3)) as http:
        http.ask(get(wire, body=BODY[:100_000]))
        assert isinstance(http.clock, HastyClock)
        assert sum(http.clock.slept) >= 6 - 0.2
        assert http.traffic.bytes_sent == 300_000


def test_a_body_that_comes_in_drips_takes_no_more_than_it_has() -> None:
    """Small answers are not charged for a whole piece."""
    with serving(Sequence(Said(body=b"x" * 10))) as wire, plain_http(limits=RateLimits(whole=50e3)) as http:
        for _ in range(200):
            http.ask(get(wire))
        assert isinstance(http.clock, HastyClock)
        assert sum(http.clock.slept) < 0.2
