"""TLS moves many records with each call of the system, and loses nothing at the end of a connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
import trustme

from transload.clock import SYSTEM_CLOCK
from transload.net.flight import Watch
from transload.net.http import Http
from transload.net.messages import HttpRequest
from transload.net.settings import NetSettings
from transload.net.tlsline import TlsLine, watched
from transload.threads import Cancellation

KIB = 1 << 10
RECORD = 16 * KIB
Talk = Callable[[ssl.SSLSocket], None]
AUTHORITY = trustme.CA()


@contextlib.contextmanager
def server(*talks: Talk) -> Iterator[tuple[str, int]]:
    """A TLS server that has each of these talks on a connection of its own, one after the other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)

    def serve(listener: socket.socket) -> None:
        for talk in talks:
            with contextlib.suppress(OSError):
                line, _ = listener.accept()
                with context.wrap_socket(line, server_side=True) as secure:
                    talk(secure)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()
        thread.join(30)


@contextlib.contextmanager
def connected(address: tuple[str, int]) -> Iterator[TlsLine]:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    watch = Watch(NetSettings(), SYSTEM_CLOCK, Cancellation())
    line = watched(context, watch).wrap_socket(socket.create_connection(address, 30), server_hostname="127.0.0.1")
    assert isinstance(line, TlsLine)
    with line:
        yield line


@contextlib.contextmanager
def counting() -> Iterator[Counter[str]]:
    """The methods of sockets, written in C, that this thread calls."""
    calls: Counter[str] = Counter()

    def note(_: FrameType, event: str, what: object) -> None:
        if event == "c_call":
            calls[getattr(what, "__name__", "")] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def test_what_has_arrived_is_read_with_few_calls_and_into_the_buffer_that_is_given() -> None:
    size, sent, ended = 1024 * KIB, threading.Event(), threading.Event()
    content = bytes(range(256)) * (size // 256)

    def talk(line: ssl.SSLSocket) -> None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * size)
        line.sendall(content)
        sent.set()
        ended.wait(30)

    with server(talk) as address, connected(address) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * size)
        assert sent.wait(30)  # all of it is in the buffers of the system
        buffer, count = memoryview(bytearray(size)), 0
        with counting() as calls:
            while count < size:
                count += line.recv_into(buffer[count:])
        ended.set()
        assert buffer == content
        assert calls["recv_into"] <= 4 * size // (128 * KIB)  # some come in part; with a record each there would be 64
        assert not line.has_rest


def test_a_piece_is_sent_with_one_call() -> None:
    size, got = 256 * KIB, bytearray()

    def talk(line: ssl.SSLSocket) -> None:
        while len(got) < 4 * size:
            got.extend(line.recv(size))
        line.sendall(b"all")

    with server(talk) as address, connected(address) as line:
        with counting() as calls:
            for _ in range(4):
                line.sendall(b"x" * size)
        assert line.recv() == b"all"
    assert got == b"x" * (4 * size)
    assert calls["sendall"] == 4


@pytest.mark.parametrize("room", [RECORD // 4, RECORD, 100 * KIB])
def test_buffers_of_any_size_get_the_bytes_in_order(room: int) -> None:
    content = b"".join(struct.pack(">I", number) for number in range(60_000))
    with server(lambda line: line.sendall(content)) as address, connected(address) as line:
        buffer, got = bytearray(room), bytearray()
        while count := line.recv_into(buffer):
            got += buffer[:count]
    assert got == content


def test_what_came_before_the_connection_broke_is_handed_on_first() -> None:
    def talk(line: ssl.SSLSocket) -> None:
        line.sendall(b"x" * 100)
        line.recv(1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset

    with server(talk) as address, connected(address) as line:
        buffer = bytearray(RECORD)
        assert line.recv_into(buffer) == 100
        line.sendall(b"!")
        with pytest.raises(ConnectionResetError):
            line.recv_into(buffer)


def test_a_damaged_record_is_an_error_after_the_bytes_before_it() -> None:
    def talk(line: ssl.SSLSocket) -> None:
        line.sendall(b"x" * 100)
        socket.socket.sendall(line, b"\x17\x03\x03\x00\x20" + bytes(32))
        line.recv(1)

    with server(talk) as address, connected(address) as line:
        buffer = bytearray(RECORD)
        assert line.recv_into(buffer) == 100
        with pytest.raises(ssl.SSLError, match="(?i)mac"):
            line.recv_into(buffer)


def test_a_connection_on_which_more_came_than_the_answer_is_not_used_again(tmp_path: Path) -> None:
    """The rest would be taken for the answer to the next request."""
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"

    def talk(line: ssl.SSLSocket) -> None:
        line.recv(RECORD)
        line.sendall(said + b"right" + said + b"wrong")
        line.recv(RECORD)

    def next_talk(line: ssl.SSLSocket) -> None:
        line.recv(RECORD)
        line.sendall(said + b"right")

    def long_talk(line: ssl.SSLSocket) -> None:  # the rest comes in a record that nobody has read
        line.recv(RECORD)
        secret = b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000
        for start in range(0, len(secret), RECORD):
            line.sendall(secret[start : start + RECORD])
        line.sendall(said + b"wrong")
        line.recv(RECORD)

    settings = NetSettings(ca_files=(tmp_path / "ca.pem",))
    with server(long_talk, talk, next_talk) as (host, port), Http(settings) as http:
        request = HttpRequest("GET", f"https://{host}:{port}/", "asking", "test", lane="read")
        with http.stream(request) as answer:
            assert sum(len(chunk) for chunk in answer.chunks()) == 70_000
        assert [http.ask(request).body for _ in range(2)] == [b"right", b"right"]
