"""A host that answers only so many requests at a time: it gets no more, with few refusals, and all are answered."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.unit.net.test_http import get
from tests.unit.registry.wire import Asked, HastyClock, Said, plain_http, serving
from transload.events import ignore
from transload.net.host import Host, Trial
from transload.net.patience import Kind
from transload.net.settings import NetSettings
from transload.net.slots import Lane
from transload.threads import Cancellation


class Crowded:
    """Answers with `status` what goes beyond `most` requests at a time; each takes a moment."""

    def __init__(self, most: int, status: int) -> None:
        self.most, self.status = most, status
        self.busy = self.peak = self.refused = 0
        self.lately: list[int] = []
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Said:
        with self._lock:
            self.busy += 1
            self.lately.append(self.busy)
            refused = self.busy > self.most
            self.refused += refused
        threading.Event().wait(0.005)
        with self._lock:
            self.busy -= 1
        return Said(self.status) if refused else Said(body=b"ok")


@pytest.mark.parametrize("lane", ["small", "read", "write"])
@pytest.mark.parametrize("status", [429, 503])
def test_refusals_halve_what_is_under_way(status: int, lane: Lane) -> None:
    crowded = Crowded(3, status)
    with serving(crowded) as wire, plain_http(attempts=100) as http, ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: http.ask(get(wire, lane=lane)).status, range(300)))
    assert answers == [200] * 300
    assert crowded.refused <= 60, "without less at a time, more than every second request is refused"


def test_nothing_changes_on_a_good_day() -> None:
    crowded = Crowded(1000, 503)
    with serving(crowded) as wire, plain_http() as http, ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: http.ask(get(wire)), range(64)))
        assert next(iter(http._hosts.values())).slots.at_a_time == 32
    assert len(wire.asked) == 64


def test_a_host_that_takes_no_further_connection_while_others_get_on_gets_fewer() -> None:
    clock = HastyClock()
    host = Host("host", NetSettings(), clock, ignore)
    kind, cancellation = Kind("GET", "blob", "read"), Cancellation()
    with ExitStack() as held:
        for _ in range(8):
            held.enter_context(host.slots.hold("read", cancellation, give_way=lambda: None))
        host.patience.begin(kind, clock.monotonic_s())
        refused = [Trial(clock.monotonic_s(), 1, host) for _ in range(3)]
        for trial in refused:
            trial.found_no_connection()
        assert host.slots.at_a_time == 32, "it may be restarting: nobody gets on"
        clock.sleep_s(1)
        host.patience.useful(kind)
        for trial in refused:
            trial.found_no_connection()
        assert host.slots.at_a_time == 8, "as many as have a connection"
