"""What a server still holds after its clients have gone: sessions that wait, and nothing of the requests before."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import threading
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from benchmarks.crowd import Client
from tests.unit.server.asking import peak_while_nobody_reads, until
from tests.unit.server.shelf import RepositoryContent
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Digest
from transload.ports import Target
from transload.server import Served, ServeSettings, serve
from transload.server.uploads import ServedUpload

ROUNDS = 3
ACTIONS = 120


def address(served: Served) -> tuple[str, int]:
    host, _, port = served.host_port.rpartition(":")
    return host, int(port)


def held() -> Counter[str]:
    """How many of our sessions, and of aiohttp's requests and connections, are there."""
    gc.collect()
    kinds = (web.BaseRequest, web.RequestHandler, web.StreamResponse, ServedUpload)
    return Counter(kind.__name__ for thing in gc.get_objects() for kind in kinds if isinstance(thing, kind))


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_nothing_of_a_request_is_held_after_it(tmp_path: Path, kind: str) -> None:
    """A session once held its last request, and with it megabytes that had arrived before the connection broke."""
    store: Target = MemoryStore() if kind == "memory" else LayoutStore(tmp_path / "site", create=True)
    with serve(store, ServeSettings(writable=True)) as served:
        clients = [Client(address(served), number, seed=3, largest=2 << 20) for number in range(2)]
        for _ in range(ROUNDS):
            for client in clients:
                for _ in range(ACTIONS // ROUNDS // 2):
                    client.step()
                client.leave()
            until(lambda: held()["RequestHandler"] == 0)
            assert held()["BaseRequest"] == 0
            assert held()["StreamResponse"] == 0
        assert held()["ServedUpload"] > 0, "some were abandoned"
        assert [sentence for client in clients for sentence in client.account.wrong] == []
    assert held()["ServedUpload"] == 0


def test_bodies_of_a_crowd_take_little_memory(tmp_path: Path) -> None:
    """64 clients once took 100 MiB: a megabyte for each, and two more in what was received ahead."""
    count, body = 64, bytes(3 << 20)
    digest = Digest.of(body)
    with serve(LayoutStore(tmp_path / "site", create=True), ServeSettings(writable=True)) as served:
        lines = [socket.create_connection(address(served), 60) for _ in range(count)]
        path = f"/v2/crowd/same/blobs/uploads/?digest={digest}"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        tracemalloc.start()
        try:
            senders = [threading.Thread(target=send, args=(line, head, body)) for line in lines]
            for sender in senders:
                sender.start()
            for line in lines:
                assert line.recv(100).startswith(b"HTTP/1.1 201 ")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            for line in lines:
                line.close()
            for sender in senders:
                sender.join()
    assert peak < 64 << 20


def test_a_crowd_that_stops_reading_takes_little_memory(tmp_path: Path) -> None:
    """Over TLS, which sendfile cannot encrypt, 100 such clients once took 450 MiB."""
    authority, pem, context = trustme.CA(), tmp_path / "server.pem", ssl.create_default_context()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    authority.configure_trust(context)
    shelf = RepositoryContent(tmp_path)
    digest = shelf.put(bytes(8 << 20))
    with serve(shelf, ServeSettings(tls_certificate=pem)) as served, contextlib.ExitStack() as open_lines:
        lines = []
        for _ in range(64):
            plain = open_lines.enter_context(socket.create_connection(address(served), 60))
            lines.append(open_lines.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1")))
        peak = peak_while_nobody_reads(lines, f"/v2/a/blobs/{digest}")
    assert peak < 64 << 20


def send(line: socket.socket, head: bytes, body: bytes) -> None:
    line.sendall(head)
    line.sendall(body)
