"""Asking a served store by hand, one connection for each question."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
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
