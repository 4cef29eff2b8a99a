"""Connections that wait for an upload as long as it moves, and that notice an answer before the body is out."""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import time
from collections.abc import Iterable
from typing import Any

from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.wait import wait_for_read

from transload.limits import INFORMATIONAL_ANSWERS
from transload.net.boundedreader import BoundedReader
from transload.net.flight import Flight, MeteredSocket, Watch
from transload.net.lookup import addresses

# How much of a body is offered at a time; between two of them the answer is looked for.
_SLICE = 256 << 10
# From here on a buffer of its own costs less than new memory for every piece of a body.
_LARGE = 64 << 10
# What has come of a body waits no longer than this for more: bytes are counted, and hashed, as they arrive.
_HAND_ON_S = 0.25
_FAST_S = 0.005
_RECORD = 16 << 10  # bytes, the most that TLS gives at a time


def opened(
    address: tuple[str, int], timeout_s: float | None, options: Iterable[tuple[Any, ...]] | None, watch: Watch | None
) -> socket.socket:
    """A connection to the first address of a host that takes one; the flight knows it before it is made."""
    failure: OSError | None = None
    for family, kind, protocol, _, place in addresses(*address, watch.current if watch else None):
        one = MeteredSocket(family, kind, protocol)
        try:
            for option in options or ():
                one.setsockopt(*option)
            one.settimeout(timeout_s)
            if watch is not None and watch.current is not None:
                watch.current.hold(one)
            one.connect(place)
            return one
        except OSError as error:
            failure = error
            one.close()
    raise failure or OSError("the host name has no address")


class ThriftyResponse(http.client.HTTPResponse):
    """Pieces of a body as they come: what has arrived is handed on after a moment, and never lost to a later failure.

    Large pieces are views of one buffer that is used again; memory is neither fetched nor faulted in anew.
    `transload.ports.Chunk` says so of every chunk.
    """

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = BoundedReader(self.fp.detach())
        self._line = sock
        self._poll = _poll_of(sock)
        self._buffer: memoryview | None = None
        self._failure: Exception | None = None

    def _read_status(self) -> tuple[str, int, str]:
        """The first line of the answer; others before it (RFC 9110, section 15.2) are passed over, but not for ever."""
        for _ in range(INFORMATIONAL_ANSWERS + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not http.client.CONTINUE <= status < http.client.OK or status == http.client.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"more than {INFORMATIONAL_ANSWERS} interim answers (1xx)")

    def read(self, amt: int | None = None) -> Any:
        """See http.client, but for one thing: less than `amt` is given as soon as that took `_HAND_ON_S`."""
        size = min(amt or 0, self.length or 0)
        if not size or self.chunked or self.fp is None:
            return super().read(amt)
        view = self._space(size)
        count = self._arriving(view)
        self.length = (self.length or 0) - count
        if not count or not self.length:
            self._close_conn()  # type: ignore[attr-defined]
        return view[:count] if size >= _LARGE else bytes(view[:count])

    def _space(self, size: int) -> memoryview:
        if size < _LARGE:
            return memoryview(bytearray(size))
        if self._buffer is None or len(self._buffer) < size:
            self._buffer = memoryview(bytearray(size))
        return self._buffer[:size]

    def _arriving(self, view: memoryview) -> int:
        """How much has come. A failure is raised at the next call, after what came before it."""
        if self._failure is not None:
            raise self._failure
        # What came with the headers; from here on nothing is left in the buffer of `fp`.
        count = more = self.fp.readinto1(view)
        until_s = time.monotonic() + _HAND_ON_S
        try:
            while more and count < len(view) and self._comes_within(until_s, more):
                more = self._line.recv_into(view[count:])
                count += more
        except (OSError, http.client.HTTPException) as error:
            self._failure = error
        return count

    def _comes_within(self, until_s: float, last: int) -> bool:
        """Whether to wait for more, after `last` bytes."""
        left_s = until_s - time.monotonic()
        if left_s <= 0 or self._poll is None:
            return left_s > 0
        # Of full records in quick succession there are 64 in each MiB, and asking before each of them costs.
        quick = last >= _RECORD and left_s > _HAND_ON_S - _FAST_S
        if isinstance(self._line, ssl.SSLSocket) and (quick or self._line.pending()):
            return True
        return bool(self._poll.poll(left_s * 1000))


def _poll_of(line: socket.socket) -> select.poll | None:
    """None where there is none (Windows), or where what is decrypted already cannot be asked for (TLS in TLS)."""
    if not hasattr(select, "poll") or not isinstance(line, socket.socket):
        return None
    poll = select.poll()
    poll.register(line, select.POLLIN)
    return poll


class PatientConnection(HTTPConnection):
    """Plain HTTP. `pool_classes` sets `stall_timeout_s` and `watch`; urllib3 sends under the connect timeout."""

    stall_timeout_s: float = 60
    watch: Watch | None = None
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
        self._join_flight()

    def _new_conn(self) -> socket.socket:
        """As urllib3's, but the flight knows the socket before it waits for the other end."""
        try:
            return opened((self._dns_host.strip("[]"), self.port), self.timeout, self.socket_options, self.watch)
        except socket.gaierror as error:
            raise exceptions.NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise exceptions.ConnectTimeoutError(self, f"no connection within {self.timeout} s") from error
        except OSError as error:
            raise exceptions.NewConnectionError(self, f"Failed to establish a new connection: {error}") from error

    def _join_flight(self) -> Flight | None:
        flight = self.watch.current if self.watch else None
        if flight is not None and self.sock is not None:
            flight.hold(self.sock)
        return flight

    def request(self, *arguments: Any, **options: Any) -> None:
        """See urllib3."""
        self._in_body = False
        if self.sock is not None:
            self.timeout = self.stall_timeout_s
        flight = self._join_flight()
        super().request(*arguments, **options)
        self._in_body = False
        if flight is not None:
            flight.turn()

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
        flight, view, sent = self.watch.current if self.watch else None, memoryview(data), 0
        while sent < len(view):
            try:
                moved = self.sock.send(view[sent : sent + _SLICE])  # a timeout is for what moves, not for all of it
                sent += moved
                if flight is not None:
                    flight.moved += moved
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


def pool_classes(stall_timeout_s: float, watch: Watch) -> dict[str, type[HTTPConnectionPool]]:
    """Pools of such connections by scheme, for urllib3's PoolManager."""
    shared = {"stall_timeout_s": stall_timeout_s, "watch": watch}
    plain = type("PatientConnection", (PatientConnection,), shared)
    secure = type("PatientSecureConnection", (PatientSecureConnection,), shared)
    return {
        "http": type("PatientPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("PatientSecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
