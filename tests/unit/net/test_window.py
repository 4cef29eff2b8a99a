"""The buffer of a body that comes faster than it is taken is small, and is the system's again where that costs time."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from transload.net.window import ReceiveWindow, wanted

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can give a buffer back")
MIB = 1 << 20


@pytest.fixture
def line() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as line:
        yield line


def kept(line: socket.socket) -> int:
    return line.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def is_locked(line: socket.socket) -> bool:
    return bool(line.getsockopt(socket.SOL_SOCKET, 72) & 2)  # SOCK_RCVBUF_LOCK


@pytest.mark.parametrize(
    ("rate", "round_trip_s", "size"),
    [(0, 0.2, 128 << 10), (1e6, 0.0, 128 << 10), (10e6, 0.05, 1_200_000), (40e6, 0.0, 800_000)],
)
def test_what_lets_a_server_keep_up(rate: float, round_trip_s: float, size: int) -> None:
    assert wanted(rate, round_trip_s) == size


def test_a_body_that_is_taken_slowly_gets_a_small_buffer_until_it_is_waited_for(line: socket.socket) -> None:
    window = ReceiveWindow(0.0)
    window.fit(line, 1.0, 4 * MIB, 0.5)
    assert (window.is_narrow, is_locked(line)) == (False, False)
    window.fit(line, 2.0, 5 * MIB, 1.5)
    assert (window.is_narrow, is_locked(line)) == (True, True)
    assert kept(line) == 2 * (128 << 10)  # Linux doubles it for its own records (socket(7))
    window.fit(line, 3.0, 6 * MIB, 2.5)
    assert window.is_narrow
    window.fit(line, 4.0, 9 * MIB, 2.6)
    assert (window.is_narrow, is_locked(line)) == (False, False)


def test_a_fast_body_and_one_that_has_not_begun_are_left_alone(line: socket.socket) -> None:
    window = ReceiveWindow(0.0)
    window.fit(line, 1.0, 0, 1.0)
    window.fit(line, 2.0, MIB, 2.0)
    window.fit(line, 3.0, 400 * MIB, 3.0)
    assert not is_locked(line)


def test_a_fast_body_whose_target_stops_for_a_moment_is_left_alone(line: socket.socket) -> None:
    window = ReceiveWindow(0.0)
    window.fit(line, 1.0, 200 * MIB, 0.95)
    window.fit(line, 2.0, 201 * MIB, 1.95)
    assert not is_locked(line)


def test_after_three_times_too_small_it_is_left_alone(line: socket.socket) -> None:
    window, busy_s, narrow = ReceiveWindow(0.0), 0.0, []
    for second in range(1, 11):
        busy_s += second % 2
        window.fit(line, float(second), (3 + second) * MIB, busy_s)
        narrow.append(window.is_narrow)
    assert narrow == [True, False] * 3 + [False] * 4
    assert not is_locked(line)


def test_the_next_request_on_the_connection_gets_it_as_it_was(line: socket.socket) -> None:
    window = ReceiveWindow(0.0)
    window.fit(line, 1.0, 4 * MIB, 1.0)
    assert is_locked(line)
    window.widen(line)
    assert not is_locked(line)
