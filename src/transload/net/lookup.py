"""Host names to addresses. A lookup cannot be interrupted, so a thread of its own waits for the name server."""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import Any

from transload.net.flight import Flight

_LOOK_S = 0.25
Addresses = list[tuple[Any, ...]]


def addresses(host: str, port: int, flight: Flight | None) -> Addresses:
    """The addresses that `getaddrinfo` gives. Raises `OSError`, also when the flight is cut meanwhile."""
    if flight is None or _is_address(host):
        return _asked(host, port)
    lookup = _Lookup(host, port)
    try:
        threading.Thread(target=lookup.run, name="lookup", daemon=True).start()
    except RuntimeError:  # the system gives no more threads
        lookup.run()
    while not lookup.ended.wait(_LOOK_S):
        if flight.verdict is not None:
            raise ConnectionResetError
    if lookup.failure is not None:
        raise lookup.failure
    return lookup.found


class _Lookup:
    def __init__(self, host: str, port: int) -> None:
        self.ended = threading.Event()
        self.found: Addresses = []
        self.failure: Exception | None = None
        self._host, self._port = host, port

    def run(self) -> None:
        try:
            self.found = _asked(self._host, self._port)
        except Exception as error:  # raised again in `addresses`
            self.failure = error
        finally:
            self.ended.set()


def _asked(host: str, port: int) -> Addresses:
    return list(socket.getaddrinfo(as_asked(host), port, type=socket.SOCK_STREAM))


def as_asked(host: str) -> str | bytes:
    """A host for `getaddrinfo`. A text of ASCII as bytes: else Python loads its tables of Unicode names for it."""
    return host.encode() if host.isascii() else host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
