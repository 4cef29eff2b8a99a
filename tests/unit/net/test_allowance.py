"""Limits on requests that registries announce: read, kept, waited for, and told."""

from __future__ import annotations

import email.utils
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve

from tests.unit.net.test_http import Sequence, get
from tests.unit.registry.wire import Asked, HastyClock, Said, Wire, plain_http, serving
from transload.events import Allowance, HostTroubled
from transload.net.allowance import allowance_in, renewed_s
from transload.net.http import Http
from transload.net.messages import HttpRequest
from transload.net.settings import NetSettings

NOW_S = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "allowance"),
    [
        ({}, None),
        ({"RateLimit-Limit": "100;w=21600"}, None),
        ({"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "76;w=21600"}, Allowance(76, 100, 21600, 216)),
        ({"RateLimit-Limit": "200;w=21600", "RateLimit-Remaining": "0;w=21600"}, Allowance(0, 200, 21600, 108)),
        ({"RateLimit-Limit": "100, 100;w=21600", "RateLimit-Remaining": "1"}, Allowance(1, 100, None, None)),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "30"}, Allowance(0, None, None, 30)),
        (
            {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW_S + 50:.0f}"},
            Allowance(0, 60, None, 50),
        ),
        (
            {
                "X-RateLimit-Remaining": "5",
                "X-RateLimit-Reset": f"{NOW_S + 650:.0f}",
                "Date": email.utils.formatdate(NOW_S + 600, usegmt=True),
            },
            Allowance(5, None, None, 50),
        ),
        ({"RateLimit-Remaining": "many"}, None),
        ({"RateLimit-Remaining": "-1"}, None),
        ({"RateLimit-Remaining": "²"}, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Limit": "0;w=60"}, Allowance(0, 0, 60, None)),
        ({"RateLimit-Remaining": "7" * 5000}, Allowance(777_777_777, None, None, None)),
    ],
)
def test_what_registries_send(headers: dict[str, str], allowance: Allowance | None) -> None:
    assert allowance_in(headers, NOW_S) == allowance


def test_a_renewal_that_is_past_is_no_wait() -> None:
    assert renewed_s({"RateLimit-Reset": f"{NOW_S - 50:.0f}"}, NOW_S) == 0


class Metered:
    """Counts requests of some methods: `of` at once, and one more each `window_s / of` seconds.

    By default it counts GETs of manifests only, as Docker Hub.
    """

    def __init__(self, of: int, window_s: int, clock: HastyClock, counted: frozenset[str] = frozenset({"GET"})) -> None:
        self.of, self.window_s, self.clock, self.counted = of, window_s, clock, counted
        self.tokens, self.at_s, self.refused = float(of), clock.monotonic_s(), 0
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Said:
        if asked.path.startswith("/free"):
            return Said(body=b"ok")
        with self._lock:
            now_s = self.clock.monotonic_s()
            refilled = (now_s - self.at_s) * self.of / self.window_s
            self.tokens, self.at_s = min(self.of, self.tokens + refilled), now_s
            allowed = asked.method not in self.counted or self.tokens > 0.999
            self.refused += not allowed
            self.tokens -= asked.method in self.counted and allowed
            left = int(self.tokens + 0.001)
        window = f";w={self.window_s}"
        headers = {"RateLimit-Limit": f"{self.of}{window}", "RateLimit-Remaining": f"{left}{window}"}
        return Said(200 if allowed else 429, headers)


def metered(wire: Wire, method: str = "GET", path: str = "/manifest") -> HttpRequest:
    return evolve(get(wire, path), method=method, purpose="manifest" if path == "/manifest" else "blob")


def test_when_none_is_left_the_next_is_waited_for_and_none_is_refused() -> None:
    """Twelve requests, of which five are allowed at once and one more each 20 s."""
    told: list[HostTroubled] = []
    clock = HastyClock()
    server = Metered(5, 100, clock)
    settings = NetSettings(allow_plain_http=frozenset({"127.0.0.1"}))
    with serving(server) as wire, Http(settings, clock=clock, listen=told.append) as http:
        assert [http.ask(metered(wire)).status for _ in range(12)] == [200] * 12
    assert server.refused == 0
    assert clock.slept == pytest.approx([20] * 7)
    assert [event.state for event in told] == ["limited"] * 7
    assert told[0].wait_s == pytest.approx(20)
    assert told[0].until_s == pytest.approx(1_700_000_000 + 1000 + 20)
    assert told[0].allowance == Allowance(0, 5, 100, 20)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_what_is_sent_waits_for_its_turn_too(method: str) -> None:
    clock = HastyClock()
    server = Metered(5, 100, clock, frozenset({method}))
    settings = NetSettings(allow_plain_http=frozenset({"127.0.0.1"}))
    with serving(server) as wire, Http(settings, clock=clock) as http:
        assert [http.ask(metered(wire, method)).status for _ in range(12)] == [200] * 12
    assert server.refused == 0
    assert clock.slept == pytest.approx([20] * 7)


def test_what_does_not_count_does_not_wait() -> None:
    clock = HastyClock()
    with serving(Metered(1, 100, clock)) as wire, Http(NetSettings(), clock=clock) as http:
        http.ask(metered(wire))
        for _ in range(5):
            http.ask(metered(wire, "HEAD"))
            http.ask(metered(wire, path="/free"))
    assert clock.slept == []


def test_many_threads_wait_for_one_after_the_other() -> None:
    clock = HastyClock()
    server = Metered(4, 40, clock)
    settings = NetSettings(allow_plain_http=frozenset({"127.0.0.1"}), attempts=50, give_up_after_s=1e6)
    with serving(server) as wire, Http(settings, clock=clock) as http, ThreadPoolExecutor(8) as threads:
        http.ask(metered(wire))
        answers = list(threads.map(lambda _: http.ask(metered(wire)).status, range(24)))
    assert answers == [200] * 24
    # The eight that were under way when the last one was counted; on a busy machine an answer may be read after a later
    # one, and says that there is still one left.
    assert server.refused <= 16


def test_a_wait_beyond_the_budget_is_not_made_but_told_once() -> None:
    told: list[HostTroubled] = []
    clock = HastyClock()
    answer = Said(headers={"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "0;w=21600"})
    with serving(Sequence(answer)) as wire, Http(NetSettings(), clock=clock, listen=told.append) as http:
        for _ in range(4):
            assert http.ask(metered(wire)).status == 200
    assert clock.slept == []
    assert [(event.state, event.wait_s) for event in told] == [("limited", 0.0)]


def test_few_left_means_few_at_a_time() -> None:
    answer = Said(headers={"RateLimit-Limit": "100", "RateLimit-Remaining": "3"})
    with serving(Sequence(Said(), answer)) as wire, plain_http() as http:
        http.ask(metered(wire))
        host = next(iter(http._hosts.values()))
        assert host.slots.at_a_time == 32
        http.ask(metered(wire))
        assert host.slots.at_a_time == 3


def test_a_refusal_without_retry_after_is_waited_for_until_the_renewal() -> None:
    refusal = Said(429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "25"})
    with serving(Sequence(refusal, Said())) as wire, plain_http() as http:
        http.ask(metered(wire))
        assert isinstance(http.clock, HastyClock)
        assert 25 <= sum(http.clock.slept) <= 27.5
