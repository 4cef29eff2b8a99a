"""What a body costs on its way from one host to another: calls of the system and memory, not time."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.unit.net.test_tlsline import counting
from transload.net.http import Http
from transload.net.messages import HttpRequest
from transload.net.settings import NetSettings

KIB, MIB = 1 << 10, 1 << 20
SIZE = 48 * MIB
CHUNK = 768 * KIB


@contextlib.contextmanager
def server(context: ssl.SSLContext | None) -> Iterator[str]:
    """`GET` gives a body, and any other method takes one. No memory is used for either."""
    piece = bytes(MIB)

    def talk(line: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += line.recv(1000 if head.startswith(b"GET") else 1)
        if head.startswith(b"GET"):
            line.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n".encode())
            for _ in range(SIZE // len(piece)):
                line.sendall(piece)
        else:
            left, buffer = SIZE, bytearray(256 * KIB)
            while left:
                left -= line.recv_into(buffer)
            line.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            line, _ = listener.accept()
            line = context.wrap_socket(line, server_side=True) if context else line
            threads.append(threading.Thread(target=talk, args=(line,), daemon=True))
            lines.append(line)
            threads[-1].start()

    lines: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [threading.Thread(target=serve, args=(listener,), daemon=True)]
        threads[0].start()
        yield f"{'https' if context else 'http'}://127.0.0.1:{listener.getsockname()[1]}/"
        for thread in threads:
            thread.join(60)
        for line in lines:
            line.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_a_body_passes_through_one_small_buffer_and_few_calls(secure: bool, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if secure else None
    if context:
        authority.issue_cert("127.0.0.1").configure_cert(context)
    plain = frozenset() if secure else frozenset({"127.0.0.1"})
    settings = NetSettings(ca_files=(tmp_path / "ca.pem",), allow_plain_http=plain)
    with server(context) as url, Http(settings) as http:
        reading = HttpRequest("GET", url, "reading", "test", lane="read")
        with http.stream(reading) as answer:
            body = answer.chunks()
            writing = HttpRequest("PUT", url, "writing", "test", body=body, length=SIZE, lane="write", retried=False)
            tracemalloc.start()
            try:
                with counting() as calls:
                    assert http.ask(writing).status == 201
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
    assert peak < 3 * MIB
    chunks = SIZE // CHUNK
    if secure:  # of 256 KiB, and of at most 128 KiB
        assert calls["sendall"] < 5 * chunks
        assert calls["recv_into"] < SIZE // (64 * KIB)
    else:
        assert calls["send"] < 2 * chunks
        assert calls["recv_into"] < 4 * chunks


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_a_small_body_goes_out_with_its_headers_and_an_empty_answer_leaves_the_connection(
    secure: bool, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if secure else None
    if context:
        authority.issue_cert("127.0.0.1").configure_cert(context)
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with context.wrap_socket(line, server_side=True) if context else line as line:
            while arrived := line.recv(64 * KIB):
                heard.append(arrived)
                line.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    plain = frozenset() if secure else frozenset({"127.0.0.1"})
    settings = NetSettings(ca_files=(tmp_path / "ca.pem",), allow_plain_http=plain)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        url = f"{'https' if secure else 'http'}://127.0.0.1:{listener.getsockname()[1]}/"
        with Http(settings) as http:
            opening = HttpRequest("POST", url, "opening", "test")
            closing = HttpRequest("PUT", url, "closing", "test", body=b"small", lane="write", retried=False)
            assert http.ask(opening).status == 201
            with http.stream(opening) as answer:
                assert list(answer.chunks()) == []
            with counting() as calls:
                assert [http.ask(closing).status for _ in range(3)] == [201] * 3
        thread.join(10)
    assert [one.partition(b" ")[0] for one in heard] == [b"POST", b"POST", b"PUT", b"PUT", b"PUT"]
    assert all(one.endswith(b"\r\n\r\nsmall") for one in heard[2:])
    assert calls["send"] + calls["sendall"] == 3
    assert calls["settimeout"] == 0, "the time to wait stays as it is"
