"""Connections that wait for an upload as long as it moves, and that notice an answer before the body is out."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import weakref
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.wait import wait_for_read

# A send's timeout is for all of its bytes, so a slice is what must move within one stall period: 4 KiB/s at 60 s.
_SLICE = 256 << 10
# From here on a buffer of its own costs less than new memory for every piece of a body.
_LARGE = 64 << 10


class OpenSockets:
    """The sockets in use, so that threads that wait for a silent peer can be roused. Safe for threads."""

    def __init__(self) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()

    def add(self, opened: socket.socket) -> None:
        """Know this one, as long as it lives."""
        with self._lock:
            self._sockets.add(opened)

    def cut(self) -> None:
        """End every connection at both ends; who waits for bytes finds that there are no more."""
        with self._lock:
            sockets = list(self._sockets)
        for one in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)  # of an SSLSocket, too, only what is below TLS


class ThriftyResponse(http.client.HTTPResponse):
    """Large pieces of a body are views of one buffer that is used again; memory is neither fetched nor faulted in anew.

    `transload.ports.Chunk` says so of every chunk.
    """

    _buffer: memoryview | None = None

    def read(self, amt: int | None = None) -> Any:
        """See http.client."""
        size = min(amt or 0, self.length or 0)
        if size < _LARGE or self.chunked:
            return super().read(amt)
        if self._buffer is None or len(self._buffer) < size:
            self._buffer = memoryview(bytearray(size))
        view = self._buffer[:size]
        return view[: self.readinto(view)]


class PatientConnection(HTTPConnection):
    """Plain HTTP. `pool_classes` sets `stall_timeout_s` and `sockets`; urllib3 sends under the connect timeout."""

    stall_timeout_s: float = 60
    sockets = OpenSockets()
    response_class = ThriftyResponse

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_body = False
        self._answers = 0
        self._cut = False

    @property
    def is_connected(self) -> bool:
        """False also after a body that was cut short: whatever comes next would be taken for the rest of it."""
        return not self._cut and super().is_connected

    def connect(self) -> None:
        """Connect under the connect timeout, then go on under the stall timeout."""
        self._answers, self._cut = 0, False
        super().connect()
        self.sock.settimeout(self.stall_timeout_s)
        self.sockets.add(self.sock)

    def request(self, *arguments: Any, **options: Any) -> None:
        """See urllib3."""
        self._in_body = False
        if self.sock is not None:
            self.timeout = self.stall_timeout_s
        super().request(*arguments, **options)
        self._in_body = False

    def endheaders(self, *arguments: Any, **options: Any) -> None:
        """See http.client; what is sent from here on is the body."""
        super().endheaders(*arguments, **options)
        self._in_body = True

    def getresponse(self) -> Any:
        """See urllib3."""
        response = super().getresponse()
        self._answers += 1
        return response

    def send(self, data: Any) -> None:
        """Send; a body stops (for urllib3 by a broken pipe, after which it reads the answer) when an answer is there.

        So a refusal (401, 413, 503) is read before the server resets a connection that nobody reads from.
        """
        if not self._in_body:
            super().send(data)
            return
        self._stop_if_answered()  # once for each chunk of a body: asking costs more than sending a slice
        view = memoryview(data)
        for start in range(0, len(view), _SLICE):
            try:
                super().send(view[start : start + _SLICE])
            except TimeoutError:
                self._cut = True
                if self.sock is not None and wait_for_read(self.sock, timeout=0.0):
                    raise BrokenPipeError from None
                raise
            except (ConnectionError, ssl.SSLError):
                # what the server said before it hung up can still be read, over TLS, too
                self._cut = True
                raise BrokenPipeError from None

    def _stop_if_answered(self) -> None:
        if self.sock is None:
            return
        # Before its first answer a TLS 1.3 server sends session tickets, which look like one to select().
        telling = self._answers > 0 or not isinstance(self.sock, ssl.SSLSocket)
        if telling and wait_for_read(self.sock, timeout=0.0):
            self._cut = True
            raise BrokenPipeError


class PatientSecureConnection(PatientConnection, HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        """Connect; urllib3 need not warn of an unverified host, since the user named it."""
        super().connect()
        self.is_verified = True


def pool_classes(stall_timeout_s: float, sockets: OpenSockets) -> dict[str, type[HTTPConnectionPool]]:
    """Pools of such connections by scheme, for urllib3's PoolManager."""
    shared = {"stall_timeout_s": stall_timeout_s, "sockets": sockets}
    plain = type("PatientConnection", (PatientConnection,), shared)
    secure = type("PatientSecureConnection", (PatientSecureConnection,), shared)
    return {
        "http": type("PatientPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("PatientSecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
