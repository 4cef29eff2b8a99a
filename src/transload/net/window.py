"""How much the system keeps unread of a body. What lies there when the process ends has to be sent again.

The system lets the buffer of a connection grow to many megabytes. That helps on a long line, and does nothing where we
take the bytes more slowly than they come, because the other side of the copy is slow. There the buffer is made as small
as our pace allows, and is left to the system again as soon as we have to wait for bytes.
"""

from __future__ import annotations

import contextlib
import socket
import struct

_BUF_LOCK = 72  # SO_BUF_LOCK, asm-generic/socket.h, since Linux 5.17: with 0, the system sizes the buffers again
_INFO = getattr(socket, "TCP_INFO", None)
_RTT_AT = 68  # tcpi_rtt in struct tcp_info, linux/tcp.h: microseconds
_LEAST = 128 << 10  # bytes, as the buffer of a connection begins
_MOST = 1 << 20  # more need not be kept small
_BEGUN = 4 << 20  # bytes, before which nothing is known of a pace: the target may just be opening the upload
_SPARE_S = 0.02
_BUSY, _WAITING = 0.9, 0.8  # shares of the time
_TRIES = 3


def wanted(rate: float, round_trip_s: float) -> int:
    """Bytes with which a server keeps up with us, who take `rate` bytes a second."""
    return max(_LEAST, int(rate * (2 * round_trip_s + _SPARE_S)))


class ReceiveWindow:
    """The buffer of the connection on which one body comes. It is left alone after it was too small a few times."""

    def __init__(self, now_s: float) -> None:
        self.is_narrow = False
        self._tries = 0
        self._began_s = self._at_s = now_s
        self._moved, self._busy_s = 0, 0.0

    def fit(self, line: socket.socket, now_s: float, moved: int, busy_s: float) -> None:
        """`moved` bytes have come by now, and for `busy_s` seconds of the time until now we waited for none."""
        took_s = now_s - self._at_s
        if took_s <= 0 or self._tries >= _TRIES:
            return
        busy, rate = (busy_s - self._busy_s) / took_s, (moved - self._moved) / took_s
        self._at_s, self._moved, self._busy_s = now_s, moved, busy_s
        if self.is_narrow and busy < _WAITING:
            self._tries += 1
            self.widen(line)
        elif not self.is_narrow and busy >= _BUSY and moved >= _BEGUN:
            on_average = moved / (now_s - self._began_s)  # a fast target may stop for a moment, to flush what it has
            size = wanted(max(rate, on_average), _round_trip_s(line))
            if size <= _MOST:
                self._narrow(line, size)

    def widen(self, line: socket.socket) -> None:
        """Leave the buffer to the system, as it was: always before another request uses the connection."""
        if self.is_narrow:
            self.is_narrow = False
            with contextlib.suppress(OSError):
                line.setsockopt(socket.SOL_SOCKET, _BUF_LOCK, 0)

    def _narrow(self, line: socket.socket, size: int) -> None:
        try:
            line.setsockopt(socket.SOL_SOCKET, _BUF_LOCK, 0)  # where the system cannot do this, nothing is narrowed
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            self.is_narrow = True
        except OSError:
            self._tries = _TRIES


def _round_trip_s(line: socket.socket) -> float:
    """The round trip that the system measured, in seconds; a long one where it does not tell."""
    if _INFO is not None:
        with contextlib.suppress(OSError, struct.error):
            known = line.getsockopt(socket.IPPROTO_TCP, _INFO, _RTT_AT + 4)
            return float(struct.unpack_from("=I", known, _RTT_AT)[0]) / 1e6
    return 1.0
