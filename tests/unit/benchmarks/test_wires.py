"""Wires of the benchmarks: what is counted, what stays whole, and which delay follows from the count of round trips."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from attrs import evolve

from benchmarks.profiles import FAR, FLAKY, LAN, LOOPBACK, PROFILES, SATELLITE, Profile, bulk_s, longest_chain
from benchmarks.slow_wire import Wire, wire

BODY = hashlib.shake_128(b"wire").digest(3 << 20)


@contextmanager
def server() -> Iterator[str]:
    """Answers each line `number` with so many bytes of BODY, and any other line with one."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            try:
                for line in lines:
                    client.sendall(BODY[: int(line) if line.strip().isdigit() else 1])
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(client,), daemon=True).start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()


@contextmanager
def client(laid: Wire) -> Iterator[socket.socket]:
    name, _, port = laid.host.rpartition(":")
    with socket.create_connection((name, int(port)), 60) as connection:
        yield connection


def ask(connection: socket.socket, count: int) -> bytes:
    connection.sendall(b"%d\n" % count)
    found = b""
    while len(found) < count and (piece := connection.recv(1 << 20)):
        found += piece
    return found


def test_exchanges_one_after_the_other_take_a_round_trip_each_and_the_connection_one_more() -> None:
    profile = Profile(name="test", told="", round_trip_s=0.02)
    with server() as host, wire(host, profile) as laid:
        began_s = time.monotonic()
        with client(laid) as connection:
            for _ in range(5):
                assert ask(connection, 10) == BODY[:10]
        least_s = 6 * profile.round_trip_s
        assert time.monotonic() - began_s >= least_s  # never less; how much more is the machine's affair
        counts = laid.counts()
    assert (counts.connections, counts.exchanges, counts.in_sequence, counts.handshakes) == (1, 5, 6, 0)
    assert (counts.up_bytes, counts.down_bytes) == (5 * len(b"10\n"), 50)


def test_exchanges_at_the_same_time_are_not_in_sequence() -> None:
    with server() as host, wire(host, Profile(name="test", told="", round_trip_s=0.3)) as laid:
        with client(laid) as one, client(laid) as other:
            one.sendall(b"4\n")
            other.sendall(b"4\n")
            assert (one.recv(4), other.recv(4)) == (BODY[:4], BODY[:4])
        counts = laid.counts()
    assert (counts.exchanges, counts.in_sequence, counts.most_connections) == (2, 2, 2)


@pytest.mark.parametrize(
    "profile",
    [
        Profile(name="bare", told=""),
        Profile(name="rate", told="", round_trip_s=0.004, connection_rate=40e6),
        Profile(name="line", told="", round_trip_s=0.001, line_rate=80e6),
    ],
    ids=lambda profile: profile.name,
)
def test_bytes_arrive_whole_on_several_connections(profile: Profile) -> None:
    with server() as host, wire(host, profile, counting=True) as laid:
        found: list[bytes] = []

        def read() -> None:
            with client(laid) as connection:
                found.append(ask(connection, len(BODY)))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts = laid.counts()
    assert [body == BODY for body in found] == [True] * 4
    assert (counts.connections, counts.down_bytes) == (4, 4 * len(BODY))


def test_no_connection_is_faster_than_its_rate_and_no_line_than_what_all_share() -> None:
    size = 2_000_000
    for profile in (
        Profile(name="rate", told="", connection_rate=10e6),
        Profile(name="line", told="", line_rate=10e6),
    ):
        with server() as host, wire(host, profile) as laid, client(laid) as connection:
            began_s = time.monotonic()
            assert len(ask(connection, size)) == size
            assert time.monotonic() - began_s >= size / 10e6 * 0.9  # it may run ahead by some milliseconds


def test_counts_begin_anew_when_they_were_asked_for() -> None:
    with server() as host, wire(host, LOOPBACK, counting=True) as laid, client(laid) as connection:
        ask(connection, 10)
        assert laid.counts().exchanges == 1
        ask(connection, 10)
        counts = laid.counts()
    assert (counts.connections, counts.exchanges, counts.most_connections) == (0, 1, 1)


def test_a_handshake_of_tls_is_told_by_its_first_byte() -> None:
    with server() as host, wire(host, LOOPBACK, counting=True) as laid:
        with client(laid) as connection:
            connection.sendall(b"\x16\x03\x01\n")
            connection.recv(10)
        assert laid.counts().handshakes == 1


def test_connections_break_as_often_as_the_profile_says() -> None:
    broken = 0
    with server() as host, wire(host, evolve(FLAKY, round_trip_s=0.0, reset_share=0.5)) as laid:
        for _ in range(40):
            with client(laid) as connection:
                try:
                    broken += len(ask(connection, 600_000)) < 600_000
                except OSError:
                    broken += 1
        counts = laid.counts()
    # Half of 40 exchanges, by a fixed seed. One that is to break while it asks, and asks less, goes through.
    assert 8 <= broken <= 25
    assert counts.resets == broken


def test_without_anything_to_imitate_there_is_no_wire() -> None:
    with wire("127.0.0.1:1", LOOPBACK) as laid:
        assert laid.host == "127.0.0.1:1"
        assert laid.counts().connections == 0


def test_the_profiles_are_those_that_are_promised() -> None:
    assert list(PROFILES) == ["loopback", "lan", "far", "satellite", "flaky"]
    assert (LAN.round_trip_s, LAN.line_rate, LAN.connection_rate) == (0.001, 125e6, 0)
    assert (FAR.round_trip_s, FAR.connection_rate) == (0.040, 20e6)
    assert (SATELLITE.round_trip_s, SATELLITE.connection_rate) == (0.6, 2e6)
    assert FLAKY.reset_share == 0.05


def test_the_time_in_which_most_bytes_came() -> None:
    assert bulk_s([]) == 0
    assert bulk_s([(1.0, 5), (2.0, 5), *((3.0 + number, 99) for number in range(10)), (90.0, 1)]) == 9.0


def test_the_longest_chain_of_spans() -> None:
    assert longest_chain([]) == 0
    assert longest_chain([(0, 1), (0, 1), (0.5, 2), (1, 2), (2, 3)]) == 3
    assert longest_chain([(0, 10), (1, 2), (3, 4), (5, 6)]) == 3
