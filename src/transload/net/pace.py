"""Keeps bodies to a rate: bytes are paid for before they move, by one connection after the other.

Who waits here waits for us, not for the host: that time counts neither as silence nor as slowness (`Flight.pause`).
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator

from transload.clock import Clock
from transload.errors import Side
from transload.net.rates import RateLimits
from transload.ports import Chunk
from transload.threads import Cancellation
from transload.values import frozen

_LARGEST = 768 << 10
_SMALLEST = 4 << 10
_TURN_S = 0.05  # how long one connection moves before it is another one's turn
_CATCH_UP_S = 0.1  # a sleep that lasts too long by no more than this costs no speed
_LOOK_S = 0.5


class Bucket:
    """Bytes that may move, more with time; `rate` in bytes a second. Threads get theirs in the order in which they ask.

    `piece` is how many bytes to ask for at a time: a twentieth of a second, from 4 KiB to 768 KiB.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self.piece = int(min(_LARGEST, max(_SMALLEST, rate * _TURN_S)))
        self._rate = rate
        self._clock = clock
        self._turns = Turns()
        self._lock = threading.Lock()
        self._most = self.piece + rate * _CATCH_UP_S
        self._left, self._at_s = float(self.piece), clock.monotonic_s()

    def take(self, size: int, cancellation: Cancellation) -> None:
        """Wait until `size` bytes may move, at most `piece`. Raises `Interrupted`."""
        with self._turns.turn(cancellation):
            while (wait_s := self._pay(size)) > 0:
                self._clock.sleep_s(wait_s, cancellation.wake)
                cancellation.check()

    def give_back(self, size: int) -> None:
        """So many bytes did not move."""
        with self._lock:
            self._left += size

    def _pay(self, size: int) -> float:
        """Take them now; else the seconds until there are enough."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            self._left = min(self._most, self._left + (now_s - self._at_s) * self._rate)
            self._at_s = now_s
            if self._left < size - 1:  # sums of fractions may lack a bit
                return (size - self._left) / self._rate
            self._left -= size
            return 0.0


class Turns:
    """Lets threads through one at a time, in the order in which they came; a lock of Python's keeps no order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    @contextlib.contextmanager
    def turn(self, cancellation: Cancellation) -> Iterator[None]:
        """Wait for the thread's turn, which lasts as long as the block. Raises `Interrupted`."""
        gate = threading.Lock()
        with self._lock:
            if self._taken:
                gate.acquire()
                self._waiting.append(gate)
            self._taken = True
        while not gate.acquire(timeout=_LOOK_S):
            if cancellation.cancelled and self._leave(gate):
                cancellation.check()
        try:
            yield
        finally:
            self._pass_on()

    def _leave(self, gate: threading.Lock) -> bool:
        """Whether the thread could leave the queue; False if its turn has come."""
        with self._lock:
            if gate not in self._waiting:
                return False
            self._waiting.remove(gate)
            return True

    def _pass_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


@frozen
class Meter:
    """All limits that certain bytes have to keep: those of their side, and those of the whole."""

    buckets: tuple[Bucket, ...]
    cancellation: Cancellation

    @property
    def piece(self) -> int:
        """How many bytes to ask for at a time."""
        return min(bucket.piece for bucket in self.buckets)

    def take(self, size: int) -> None:
        """Wait until `size` bytes may move, at most `piece`. Raises `Interrupted`."""
        for bucket in self.buckets:
            bucket.take(size, self.cancellation)

    def give_back(self, size: int) -> None:
        """So many bytes did not move after all."""
        for bucket in self.buckets:
            bucket.give_back(size)

    def pieces(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The same bytes in pieces, each when it may move."""
        piece = self.piece
        for chunk in chunks:
            view = memoryview(chunk)
            for start in range(0, len(view), piece):
                part = view[start : start + piece]
                self.take(len(part))
                yield part


class Pace:
    """The limits of a run. Each direction is counted for itself: a line carries both at the same time."""

    def __init__(self, limits: RateLimits, clock: Clock, cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        parts: dict[Side | None, float | None] = {None: limits.whole, "source": limits.source, "target": limits.target}
        self._received = {part: Bucket(rate, clock) for part, rate in parts.items() if rate is not None}
        self._sent = {part: Bucket(rate, clock) for part, rate in parts.items() if rate is not None}

    def received(self, side: Side | None) -> Meter | None:
        """The limits for what comes from a side; None without any."""
        return self._meter(self._received, {side, None})

    def sent(self, side: Side | None) -> Meter | None:
        """The limits for what is sent to a side; None without any."""
        return self._meter(self._sent, {side, None})

    def copied(self, *local: Side) -> Meter | None:
        """The limits for a copy whose `local` sides are folders or files, which no request passes; None without any."""
        return self._meter(self._received, {*local, None} if len(local) > 1 else set(local))

    def _meter(self, buckets: dict[Side | None, Bucket], parts: set[Side | None]) -> Meter | None:
        chosen = tuple(bucket for part, bucket in buckets.items() if part in parts)
        return Meter(chosen, self._cancellation) if chosen else None
