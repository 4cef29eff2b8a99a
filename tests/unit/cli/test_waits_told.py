"""Every wait longer than two seconds is told, for whom, why and until when; a long trouble does not fill the log."""

from __future__ import annotations

import pytest

from transload.cli.console import telling_hosts
from transload.cli.output import Output
from transload.errors import TooManyRequests, Unreachable
from transload.events import Allowance, HostTroubled
from transload.net.backoff import delay_s

LOST = Unreachable("r.example refuses connections")


def retrying(troubled_s: float, wait_s: float, host: str = "r.example") -> HostTroubled:
    left_s = 120 - troubled_s
    return HostTroubled(
        host, "retrying", troubled_s, left_s, attempt=2, attempts=6, wait_s=wait_s, error=LOST, until_s=1.7e9
    )


def told(capsys: pytest.CaptureFixture[str], *events: HostTroubled) -> list[str]:
    output = Output("mirror", "text", False)
    for event in events:
        output.host(event)
    return capsys.readouterr().err.splitlines()


def test_each_wait_that_is_longer_than_those_before_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    events, troubled_s = [], 0.0
    for failures in range(1, 13):
        wait_s = delay_s(failures, None, 1.0)
        events.append(retrying(troubled_s, wait_s))
        troubled_s += wait_s
    lines = told(capsys, *events)
    assert [line.partition("next in ")[2].partition(" s")[0] for line in lines[:4]] == ["1", "4", "8", "15"]
    assert len(lines) <= 9
    assert all("r.example" in line and "refuses connections" in line for line in lines)
    assert all("(at " in line for line in lines[1:])


def test_a_long_wait_soon_after_a_short_one_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    busy = TooManyRequests("r.example answers 429", retry_after_s=60)
    asked = HostTroubled("r.example", "retrying", 1, 119, wait_s=60, error=busy, until_s=1.7e9)
    lines = told(capsys, retrying(0, 0.5), retrying(0.5, 1), asked, retrying(1.2, 2))
    assert len(lines) == 2
    assert ", as it asks): r.example answers 429" in lines[1]


def test_in_a_long_trouble_fewer_and_fewer_lines_come(capsys: pytest.CaptureFixture[str]) -> None:
    """An hour of waits of 15 s: 240 of them."""
    lines = told(capsys, *(retrying(15.0 * number, 15) for number in range(240)))
    assert len(lines) <= 25


def test_waits_for_a_limit_on_requests_are_told_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    allowance = Allowance(0, 6, 30, 5)
    events = [
        HostTroubled(host, "limited", 0, 120, wait_s=5, until_s=1.7e9 + 5 * number, allowance=allowance)
        for number in range(36)
        for host in ("r.example", "other.example")
    ]
    lines = told(capsys, *events)
    assert len(lines) == 6
    assert all("has a limit of 6 requests in 30 s, which are used up: waiting 5 s (until " in line for line in lines)


def test_a_server_that_reads_through_says_it_as_sparingly(capsys: pytest.CaptureFixture[str]) -> None:
    tell = telling_hosts()
    for number in range(240):
        tell(retrying(15.0 * number, 15))
    assert len(capsys.readouterr().err.splitlines()) <= 25


def test_each_host_and_each_trouble_has_its_own_lines(capsys: pytest.CaptureFixture[str]) -> None:
    again = (retrying(0, 5), retrying(0, 5, "other.example"), retrying(30, 15), retrying(0, 5))
    assert len(told(capsys, *again)) == 4
