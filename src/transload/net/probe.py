"""Looks at the way to a host, step by step, before a run: its addresses, a connection, the certificate it shows."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time

from transload.net.address import Origin
from transload.net.certificate import Certificate, shown_by
from transload.net.settings import NetSettings
from transload.net.tls import Trust

_ADDRESSES = 8


def addresses_of(host: str, patience_s: float) -> tuple[str, ...]:
    """The first addresses of a host, each once, in the resolver's order; empty if none is known within `patience_s`."""
    with contextlib.suppress(ValueError):
        return (str(ipaddress.ip_address(host)),)
    found: list[str] = []

    def look() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            found.extend(str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))

    thread = threading.Thread(target=look, name="lookup", daemon=True)  # a lookup cannot be interrupted
    thread.start()
    thread.join(patience_s)
    return tuple(dict.fromkeys(found))[:_ADDRESSES]


def connecting_s(host: str, port: int, timeout_s: float) -> float | None:
    """How long a TCP connection takes, in seconds; None if there is none within `timeout_s`."""
    began_s = time.monotonic()
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout_s):
        return time.monotonic() - began_s
    return None


def certificate_of(origin: Origin, settings: NetSettings) -> Certificate | None:
    """The certificate that a host shows, from an authority that is trusted; None if it cannot be read."""
    trust = Trust(settings)
    return shown_by(origin, trust.make(trust.circle(origin)), settings.connect_timeout_s)
