"""Asking a served store by hand, one connection for each question."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.message import Message
from typing import Any

from attrs import frozen

from transload.server import Served


@frozen
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The first error's code."""
        return str(self.document["errors"][0]["code"])


def ask(
    served: Served,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    host, _, port = served.host_port.rpartition(":")
    connection = (
        http.client.HTTPSConnection(host, int(port), timeout=60, context=tls)
        if tls
        else http.client.HTTPConnection(host, int(port), timeout=60)
    )
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that only the server's counters tell."""
    pause = threading.Event()
    for _ in range(4000):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it did not come about")


def peak_while_nobody_reads(lines: Sequence[socket.socket], path: str) -> int:
    """The most memory of Python's, in bytes, while all clients ask for `path` and stop reading after 60 KiB."""
    tracemalloc.start()
    try:
        for line in lines:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            left = 60 << 10
            while left > 0:
                left -= len(line.recv(left))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
