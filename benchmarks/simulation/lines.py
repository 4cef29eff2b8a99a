"""Sockets in virtual time: what the HTTP client gets instead of the system's.

Everything above is real: urllib3 and http.client, and the connections, flights and windows of the program.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Any

from benchmarks.simulation.virtual import Virtual
from benchmarks.simulation.wires import WINDOW, Flow, Payload, size_of
from transload.net.flight import MeteredSocket

if TYPE_CHECKING:
    from benchmarks.simulation.registries import Registry, ServerLine

SEND_BUFFER, FAR_SEND_BUFFER, FAR_S = 1 << 20, 4 << 20, 0.05
_COUNTED = 32 << 10
_HEAD_ENDS = b"\r\n\r\n"
_COPIED = 64 << 10


class Network:
    """Which registry listens where; one for each simulation."""

    now: Network

    def __init__(self, virtual: Virtual) -> None:
        self.virtual = virtual
        self.registries: dict[str, Registry] = {}


class Line(socket.socket):
    """A connection as a client sees it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._virtual = Network.now.virtual
        self._waits_s: float | None = None
        self._arrived: deque[Payload] = deque()
        self._reader: Any = None
        self._writer: Any = None
        self._ended = self._reset = False
        self._server: ServerLine | None = None
        self._up: Flow | None = None
        self._down: Flow | None = None
        self._rtt_s = 0.0

    # --- opening and closing

    def connect(self, address: Any) -> None:
        registry = Network.now.registries[address[0]]
        self._rtt_s = registry.wire.rtt_s
        self._virtual.park(self._rtt_s)
        server = registry.accept(self)
        if server is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")
        self._server, self._up, self._down = server, server.up, server.down
        self._up.has_room = self._rouse_writer

    def settimeout(self, value: float | None) -> None:
        self._waits_s = value

    def setsockopt(self, *arguments: Any) -> None:
        if arguments[:2] == (socket.SOL_SOCKET, socket.SO_RCVBUF) and self._down is not None:
            self._down.window = arguments[2]
        elif arguments[:2] == (socket.SOL_SOCKET, 72) and self._down is not None:  # SO_BUF_LOCK
            self._down.window = WINDOW

    def getsockopt(self, *_: Any) -> Any:
        return bytes(68) + struct.pack("=I", int(self._rtt_s * 1e6))  # TCP_INFO

    def shutdown(self, _how: int) -> None:
        self._ended = True
        self._leave()

    def _real_close(self) -> None:
        self._ended = True
        self._leave()
        super()._real_close()  # type: ignore[misc]  # what `close` of a socket calls is not declared

    def _leave(self) -> None:
        if self._server is not None:
            self._server.left()
        self._rouse_reader()
        self._rouse_writer()

    def break_off(self) -> None:
        """The wire has lost this connection."""
        self._reset = True
        self._rouse_reader()
        self._rouse_writer()

    # --- reading

    def arrive(self, payload: Payload) -> None:
        """The server's bytes are here."""
        self._arrived.append(payload)
        self._rouse_reader()

    def end(self) -> None:
        """The server has closed it."""
        self._ended = True
        self._rouse_reader()
        self._rouse_writer()

    @property
    def is_readable(self) -> bool:
        return bool(self._arrived) or self._ended or self._reset

    def wait_readable(self, seconds: float | None) -> bool:
        """Wait so long for bytes, or the end."""
        if not self.is_readable and (seconds is None or seconds > 0):
            self._reader = self._virtual.current
            self._virtual.park(seconds)
            self._reader = None
        return self.is_readable

    def recv_into(self, buffer: Any, _nbytes: int = 0, _flags: int = 0) -> int:
        if not self.wait_readable(self._waits_s):
            raise TimeoutError("timed out")
        if not self._arrived:
            if self._reset:
                raise ConnectionResetError(errno.ECONNRESET, "connection reset by peer")
            return 0
        view = memoryview(buffer).cast("B")
        size = 0
        while self._arrived and size < len(view):
            payload = self._arrived.popleft()
            count = min(size_of(payload), len(view) - size)
            _write(view[size : size + count], payload)
            if count < size_of(payload):
                self._arrived.appendleft(payload - count if isinstance(payload, int) else payload[count:])
            size += count
        if self._down is not None:
            self._down.take(size)
        return size

    # --- writing

    def send(self, data: Any, _flags: int = 0) -> int:
        view, flow = memoryview(data), self._up
        while True:
            if self._reset or self._ended or flow is None:
                raise BrokenPipeError(errno.EPIPE, "broken pipe")
            room = (SEND_BUFFER if self._rtt_s < FAR_S else FAR_SEND_BUFFER) - flow.buffered
            if room > 0:
                break
            self._writer = self._virtual.current
            woken = self._virtual.park(self._waits_s)
            self._writer = None
            if not woken:
                raise TimeoutError("timed out")
        size = min(room, len(view))
        head = _head_of(view[:size])
        flow.push(head)
        flow.push(size - len(head))
        return size

    def sendall(self, data: Any, _flags: int = 0) -> None:
        view = memoryview(data)
        sent = 0
        while sent < len(view):
            sent += self.send(view[sent:])

    def _rouse_reader(self) -> None:
        if self._reader is not None:
            self._virtual.wake(self._reader)

    def _rouse_writer(self) -> None:
        if self._writer is not None:
            self._virtual.wake(self._writer)


def _head_of(view: memoryview) -> bytes:
    """What is sent as it is: all but a body, which holds zeros, and may come behind its headers."""
    if view[0] == 0:
        return b""
    if len(view) < _COUNTED:
        return bytes(view)
    head, end, _ = bytes(view[:_COUNTED]).partition(_HEAD_ENDS)
    return head + end if end else b""


def _write(view: memoryview, payload: Payload) -> None:
    """A buffer that is large enough for a body holds nothing but zeros, so they are not written again."""
    if not isinstance(payload, int):
        view[:] = payload[: len(view)]
    elif len(view) < _COPIED:
        view[:] = bytes(len(view))


class MeteredLine(MeteredSocket, Line):
    """The program's own socket, over a simulated one."""


class Poll:
    """See `select.poll`."""

    def __init__(self) -> None:
        self._line: Line | None = None

    def register(self, line: Line, _events: int) -> None:
        self._line = line

    def poll(self, milliseconds: float) -> list[int]:
        assert self._line is not None
        return [1] if self._line.wait_readable(milliseconds / 1000) else []


def wait_for_read(line: Line, timeout: float | None = None) -> bool:
    """See `urllib3.util.wait`."""
    return line.wait_readable(timeout)
