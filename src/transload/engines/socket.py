"""A connection to an engine's socket that waits as long as the engine is alive, and no longer."""

from __future__ import annotations

import contextlib
import io
import math
import select
import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any

from transload.clock import SYSTEM_CLOCK
from transload.engines.address import VARIABLES, EngineAddress
from transload.errors import PermissionRefused, Stalled, TransloadError, Unreachable

_CONNECT_S = 10.0
_TICK_S = 0.5  # how long Ctrl-C may wait
_WRITTEN_AT_ONCE = 256 << 10


class PatientSocket:
    """A socket as `http.client` uses one: `sendall`, `makefile`, `close`.

    While it waits, and every half second while bytes move, it calls `check`, which may raise. If nothing moves for
    `stall_s` seconds, `is_alive` asks the engine another way; if it answers, the wait goes on: an engine that unpacks
    layers of many gigabytes says nothing for minutes. Else `Stalled` is raised.
    """

    def __init__(
        self, address: EngineAddress, stall_s: float, is_alive: Callable[[], bool], check: Callable[[], None]
    ) -> None:
        self._check = check
        self._socket = connected(address)
        self._address = address
        self._stall_s = stall_s
        self._is_alive = is_alive
        self._checked_s = SYSTEM_CLOCK.monotonic_s()

    def sendall(self, data: bytes) -> None:
        """Send all bytes. Raises `Stalled`, `OSError`."""
        left = memoryview(data)
        while left:
            self.wait_for(select.POLLOUT)
            left = left[self._socket.send(left[:_WRITTEN_AT_ONCE]) :]

    def receive_into(self, buffer: memoryview) -> int:
        """Fill a part of `buffer`; 0 at the end. Raises `Stalled`, `OSError`."""
        self.wait_for(select.POLLIN)
        return self._socket.recv_into(buffer)

    def wait_for(self, event: int) -> None:
        """Wait until the socket can be read or written, or is broken. Raises `Stalled`, and what `check` raises."""
        self._check_now_and_then()
        poll = select.poll()
        poll.register(self._socket, event)
        waited_s = 0.0
        while not poll.poll(min(_TICK_S, self._stall_s) * 1000):
            self._check()
            waited_s += _TICK_S
            if waited_s < self._stall_s:
                continue
            waited_s = 0.0
            if not self._is_alive():
                raise Stalled(
                    f"the {self._address.kind} engine at {self._address} does not answer any more:"
                    f" nothing moved for {self._stall_s:.0f} s",
                    subject=str(self._address),
                    hint=f"look at its log: journalctl -u {self._address.kind}; then start it again",
                )

    def _check_now_and_then(self) -> None:
        """An engine may also send without end. What is answered at once is not checked: cleaning up goes on then."""
        now_s = SYSTEM_CLOCK.monotonic_s()
        if now_s - self._checked_s >= _TICK_S:
            self._checked_s = now_s
            self._check()

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """What `http.client` reads the answer from."""
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Nothing: `http.client` calls this as soon as it has the head of a last answer; see `end`."""

    def end(self) -> None:
        """Close the connection, also in the middle of a body: the engine drops what it has of it."""
        self._socket.close()


class _Reader(io.RawIOBase):
    def __init__(self, source: PatientSocket) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.receive_into(memoryview(buffer))


def connected(address: EngineAddress) -> socket.socket:
    """A connection to the engine. Raises `Unreachable`, `PermissionRefused`, with what to do about it."""
    if not hasattr(socket, "AF_UNIX"):
        raise Unreachable(f"this system has no sockets like {address}", subject=str(address))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_CONNECT_S)
    try:
        connection.connect(str(address.path))
    except (OSError, ValueError) as error:
        connection.close()
        raise not_connected(address, error) from error
    return connection


def not_connected(address: EngineAddress, error: Exception) -> TransloadError:
    """The error for a socket to which no connection could be made."""
    subject, kind = str(address), address.kind
    if isinstance(error, PermissionError):
        return PermissionRefused(
            f"this user may not use the {kind} engine at {address}", subject=subject, hint=_MEMBERSHIP[kind]
        )
    named = f"check {address.origin}, or" if address.origin else f"name its socket with {VARIABLES[kind]}, or"
    if isinstance(error, TimeoutError | BlockingIOError):
        why = "it takes no connection"
    elif isinstance(error, FileNotFoundError | NotADirectoryError):
        why = "there is no such socket"
    elif isinstance(error, ConnectionRefusedError):
        # Linux says so of a socket to which nobody listens, and of a file that is no socket.
        why = "nobody listens there" if address.path.is_socket() else "that is no socket"
    else:
        why = str(getattr(error, "strerror", None) or error)
    return Unreachable(
        f"no {kind} engine at {address}: {why}", subject=subject, hint=f"{named} start it: {_STARTED[kind]}"
    )


_MEMBERSHIP = {
    "docker": "run this as root, or have the user added to the group docker: usermod -aG docker USER",
    "podman": "run this as root, or use the user's own podman: systemctl --user start podman.socket",
    "containerd": "run this as root: containerd's socket belongs to root",
}
_STARTED = {
    "docker": "systemctl start docker",
    "podman": "systemctl start podman.socket",
    "containerd": "systemctl start containerd (or k3s, rke2-server)",
}


class EngineConnection(HTTPConnection):
    """HTTP to an engine's socket. One request at a time; closed by whoever opened it."""

    def __init__(self, address: EngineAddress, stall_s: float, check: Callable[[], None]) -> None:
        super().__init__("localhost")
        self._address = address
        self._stall_s = stall_s
        self._check = check
        self._patient: PatientSocket | None = None

    def connect(self) -> None:
        """Connect to the socket. Raises `Unreachable`, `PermissionRefused`."""
        patient: Any = PatientSocket(self._address, self._stall_s, lambda: answers_ping(self._address), self._check)
        self.sock = self._patient = patient

    def end(self) -> None:
        """Close the connection, whatever is still to be read or sent."""
        self.close()
        if self._patient is not None:
            self._patient.end()


def answers_ping(address: EngineAddress, patience_s: float = _CONNECT_S) -> bool:
    """Whether an engine answers `GET /_ping` within so many seconds."""
    until_s = SYSTEM_CLOCK.monotonic_s() + patience_s

    def check() -> None:
        if SYSTEM_CLOCK.monotonic_s() >= until_s:
            raise Stalled(f"{address} does not answer", subject=str(address))

    connection = EngineConnection(address, math.inf, check)
    with contextlib.suppress(OSError, HTTPException, TransloadError):
        try:
            connection.request("GET", "/_ping")
            return connection.getresponse().status == 200
        finally:
            connection.end()
    return False
