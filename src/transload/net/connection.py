"""Connections that wait for an upload as long as it moves, and that notice an answer before the whole body is sent."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.wait import wait_for_read

from transload.limits import INFORMATIONAL_ANSWERS
from transload.net.boundedreader import BoundedReader
from transload.net.flight import Flight, MeteredSocket, Watch
from transload.net.lookup import addresses
from transload.net.tlsline import TlsLine

# Bytes of a body that are offered to the socket at a time: all that the system has room for, or what is encrypted.
_SLICE = 1 << 20
_SECRET_SLICE = 256 << 10
# From this size on, one buffer that is used again costs less than new memory for every piece of a body.
_LARGE = 64 << 10
# A body of up to this size costs less when it is copied to the headers than when it is sent by itself.
_SMALL = 64 << 10
# Bytes that have arrived wait no longer than this for more, so that they are counted and hashed as they arrive.
_HAND_ON_S = 0.25


def opened(
    address: tuple[str, int], timeout_s: float | None, options: Iterable[tuple[Any, ...]] | None, watch: Watch | None
) -> socket.socket:
    """A connection to the first address of a host that accepts one. The flight gets the socket before it connects."""
    failure: OSError | None = None
    for family, kind, protocol, _, target in addresses(*address, watch.current if watch else None):
        connection = MeteredSocket(family, kind, protocol)
        try:
            for option in options or ():
                connection.setsockopt(*option)
            connection.settimeout(timeout_s)
            if watch is not None and watch.current is not None:
                watch.current.hold(connection)
            connection.connect(target)
            return connection
        except OSError as error:
            failure = error
            connection.close()
    raise failure or OSError("the host name has no address")


class ThriftyResponse(http.client.HTTPResponse):
    """Gives the pieces of a body as they arrive, after a moment at most. A later failure does not lose them.

    Large pieces are views of one buffer that is used again, which saves new memory and page faults.
    `transload.ports.Chunk` states this rule for every chunk.
    """

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = BoundedReader(self.fp.detach())
        self._line = sock
        self._buffer: memoryview | None = None
        self._failure: Exception | None = None

    def begin(self) -> None:
        """See `http.client`. An answer without a body is at its end when its headers are read."""
        super().begin()
        if self.length == 0:
            self._close_conn()  # type: ignore[attr-defined]  # http.client has it, its types do not

    def _read_status(self) -> tuple[str, int, str]:
        """The first line of the answer. A limited number of interim answers (RFC 9110, section 15.2) is skipped."""
        for _ in range(INFORMATIONAL_ANSWERS + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not http.client.CONTINUE <= status < http.client.OK or status == http.client.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"more than {INFORMATIONAL_ANSWERS} interim answers (1xx)")

    def read(self, amt: int | None = None) -> Any:
        """See `http.client`. One difference: after `_HAND_ON_S` seconds it returns what it has, even below `amt`."""
        size = min(amt or 0, self.length or 0)
        if not size or self.chunked or self.fp is None:
            return super().read(amt)
        view = self._space(size)
        count = self._arriving(view)
        self.length = (self.length or 0) - count
        if not count or not self.length:
            self._close_conn()  # type: ignore[attr-defined]  # http.client has it, its types do not
        return view[:count] if size >= _LARGE else bytes(view[:count])

    def _space(self, size: int) -> memoryview:
        if size < _LARGE:
            return memoryview(bytearray(size))
        if self._buffer is None or len(self._buffer) < size:
            self._buffer = memoryview(bytearray(size))
        return self._buffer[:size]

    def _arriving(self, view: memoryview) -> int:
        """How many bytes have arrived. A failure is raised at the next call, so these bytes are handed on first."""
        if self._failure is not None:
            raise self._failure
        # First what arrived with the headers; after that the buffer of `fp` is empty.
        count = more = self.fp.readinto1(view)
        until_s = time.monotonic() + _HAND_ON_S
        try:
            while more and count < len(view) and self._comes_within(until_s):
                more = self._line.recv_into(view[count:])
                count += more
        except (OSError, http.client.HTTPException) as error:
            self._failure = error
        return count

    def _comes_within(self, until_s: float) -> bool:
        """Whether to wait for more."""
        left_s = until_s - time.monotonic()
        if left_s <= 0 or not isinstance(self._line, MeteredSocket):  # decrypted bytes cannot be seen (TLS in TLS)
            return left_s > 0
        if isinstance(self._line, TlsLine) and self._line.pending():
            return True
        return self._line.comes_within(left_s)


def _comes_within(line: socket.socket, seconds: float) -> bool:
    """Whether anything can be read within so many seconds."""
    return line.comes_within(seconds) if isinstance(line, MeteredSocket) else wait_for_read(line, timeout=seconds)


class PatientConnection(HTTPConnection):
    """Plain HTTP. `pool_classes` sets `stall_timeout_s` and `watch`; urllib3 would send under the connect timeout."""

    stall_timeout_s: float = 60
    watch: Watch | None = None
    response_class = ThriftyResponse

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_body = False
        self._joins_body = False
        self._head = b""
        self._answers = 0
        self._cut = False

    @property
    def is_connected(self) -> bool:
        """False also after a body that was cut short: the server would take the next request for the rest of it.

        And where more came than the last answer: it would be taken for the next one.
        """
        if self._cut or self.sock is None or (isinstance(self.sock, TlsLine) and self.sock.has_rest):
            return False
        return not _comes_within(self.sock, 0.0)

    def connect(self) -> None:
        """Connect under the connect timeout, then go on under the stall timeout."""
        self._answers, self._cut = 0, False
        super().connect()
        self.sock.settimeout(self.stall_timeout_s)
        self._join_flight()

    def _new_conn(self) -> socket.socket:
        """As urllib3's, but the flight gets the socket before it connects."""
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

    def request(self, method: str, url: str, body: Any = None, *arguments: Any, **options: Any) -> None:
        """See `urllib3`. A small body goes out with the headers, in one call of the system."""
        self._in_body, self._head = False, b""
        self._joins_body = self.sock is not None and isinstance(body, bytes) and 0 < len(body) <= _SMALL
        if self.sock is not None:
            self.timeout = self.stall_timeout_s
        flight = self._join_flight()
        super().request(method, url, body, *arguments, **options)
        self._in_body = False
        if flight is not None:
            flight.turn()

    def endheaders(self, *arguments: Any, **options: Any) -> None:
        """See `http.client`; all that is sent after this is the body."""
        super().endheaders(*arguments, **options)
        self._in_body = True

    def getresponse(self) -> Any:
        """See `urllib3`."""
        response = super().getresponse()
        self._answers += 1
        return response

    def send(self, data: Any) -> None:
        """Send. A body stops as soon as an answer is there: a `BrokenPipeError` makes urllib3 read the answer.

        So a refusal (401, 413, 503) is read before the server resets the connection.
        """
        if not self._in_body:
            if self._joins_body:
                self._head = data
            else:
                super().send(data)
            return
        if self._head:
            data, self._head = self._head + data, b""
        else:
            self._stop_if_answered()  # once for each chunk of a body: a look costs more than sending a slice
        flight, view, sent = self.watch.current if self.watch else None, memoryview(data), 0
        size = _SLICE if type(self.sock) is MeteredSocket else _SECRET_SLICE
        while sent < len(view):
            try:
                moved = self.sock.send(view[sent : sent + size])  # the timeout is for this slice, not for the body
                sent += moved
                if flight is not None:
                    flight.moved += moved
            except TimeoutError:
                self._cut = True
                if self.sock is not None and _comes_within(self.sock, 0.0):
                    raise BrokenPipeError from None
                raise
            except (ConnectionError, ssl.SSLError):
                # what the server sent before it closed the connection can still be read, over TLS too
                self._cut = True
                raise BrokenPipeError from None

    def _stop_if_answered(self) -> None:
        if self.sock is None:
            return
        # A TLS 1.3 server sends session tickets before its first answer; to select() they look like an answer.
        is_answer = self._answers > 0 or not isinstance(self.sock, TlsLine)
        if is_answer and _comes_within(self.sock, 0.0):
            self._cut = True
            raise BrokenPipeError


class PatientSecureConnection(PatientConnection, HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        """Connect. urllib3 need not warn about an unverified host, because the user named it."""
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


def connect_one_more(pool: HTTPConnectionPool, timeout_s: float, has_room: Callable[[int], bool]) -> None:
    """Open a connection besides those that are idle in the pool, if there is room for so many.

    If that fails, the next request will say why. The idle ones stay in the pool meanwhile: a request that does not
    find them would open another one.
    """
    if (queue := pool.pool) is None:
        return
    with queue.mutex:
        places = queue.queue
        idle = sum(each is not None and each.is_connected for each in places)
        if idle == len(places) or not has_room(idle):
            return
        connection = places.pop(next(at for at, each in enumerate(places) if each is None or not each.is_connected))
    connection = connection or pool._new_conn()
    try:
        connection.timeout = timeout_s
        connection.connect()
    except (exceptions.HTTPError, OSError, http.client.HTTPException):
        connection.close()
    finally:
        with queue.mutex:  # taken after those that have carried something, which are faster; free places lie below
            places.insert(sum(each is None for each in places), connection)
