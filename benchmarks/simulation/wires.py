"""Wires: links with a rate that connections share evenly, latency, and windows. In virtual time.

Bytes go in pieces. A link serves the connections that have pieces for it in turn, so each gets the same share, and what
one cannot use goes to the others (max-min fairness). A connection has no more bytes under way, or unread at its end,
than its window; so it carries at most a window in each round trip. With slow start, its window begins small and grows
by what is acknowledged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from benchmarks.simulation.virtual import Virtual

PIECE = 256 << 10
WINDOW = 4 << 20
SLOW_START = 14_600  # ten segments, as RFC 6928 says
Payload = bytes | int
"""Bytes, or a number of zero bytes."""


def size_of(payload: Payload) -> int:
    """Bytes on the wire."""
    return payload if isinstance(payload, int) else len(payload)


class Link:
    """Something that all bytes of some connections pass, at `rate` bytes a second in all."""

    def __init__(self, virtual: Virtual, rate: float) -> None:
        self.rate = rate
        self.carried = 0
        self._virtual = virtual
        self._queues: dict[Flow, deque[tuple[Payload, int, int]]] = {}
        self._turns: deque[Flow] = deque()
        self._busy = False

    def enqueue(self, flow: Flow, payload: Payload, size: int, hop: int) -> None:
        """A piece of a flow wants to pass."""
        queue = self._queues.get(flow)
        if queue is None:
            self._queues[flow] = deque([(payload, size, hop)])
            self._turns.append(flow)
        else:
            queue.append((payload, size, hop))
        if not self._busy:
            self._serve()

    def _serve(self) -> None:
        while self._turns and not self._turns[0].is_open:  # its sender would not have sent so far ahead
            del self._queues[self._turns.popleft()]
        self._busy = bool(self._turns)
        if not self._busy:
            return
        flow = self._turns.popleft()
        queue = self._queues[flow]
        payload, size, hop = queue.popleft()
        if queue:
            self._turns.append(flow)
        else:
            del self._queues[flow]
        self.carried += size

        def passed() -> None:
            flow.forward(payload, size, hop + 1)
            self._serve()

        self._virtual.after(size / self.rate, passed)


class Flow:
    """One direction of a connection, over `links`. `deliver` gets what arrives, in order."""

    def __init__(
        self,
        virtual: Virtual,
        links: tuple[Link, ...],
        latency_s: float,
        deliver: Callable[[Payload], None],
        *,
        slow_start: bool = False,
    ) -> None:
        self.window: float = WINDOW
        self.unsent = 0
        self.is_open = True
        self.has_room: Callable[[], None] = lambda: None
        self._virtual = virtual
        self._links = links
        self._latency_s = latency_s
        self._deliver = deliver
        self._congestion: float = SLOW_START if slow_start else float("inf")
        self._queue: deque[Payload] = deque()
        self._under_way = 0

    def push(self, payload: Payload) -> None:
        """Send this."""
        size = size_of(payload)
        if size:
            self.unsent += size
            self._queue.append(payload)
            self._pump()

    def take(self, count: int) -> None:
        """So many bytes were read at the other end; the sender hears of it later."""
        if self._latency_s:
            self._virtual.after(self._latency_s, lambda: self._acknowledged(count))
        else:
            self._acknowledged(count)

    def _acknowledged(self, count: int) -> None:
        self._under_way -= count
        self._congestion += count
        self._pump()
        self.has_room()

    def _pump(self) -> None:
        window = min(self.window, self._congestion)
        while self._queue and self.is_open:
            first = self._queue[0]
            room = int(window - self._under_way)
            size = min(size_of(first), PIECE, int(window))
            if room < size and self._under_way:
                return
            piece: Payload = size if isinstance(first, int) else first[:size]
            if size == size_of(first):
                self._queue.popleft()
            else:
                self._queue[0] = first - size if isinstance(first, int) else first[size:]
            self._under_way += size
            self.unsent -= size
            self.forward(piece, size, 0)

    @property
    def buffered(self) -> int:
        """Bytes that the sender cannot forget yet."""
        return self.unsent + self._under_way

    def forward(self, payload: Payload, size: int, hop: int) -> None:
        """A piece is past so many links."""
        if not self.is_open:
            return
        if hop < len(self._links):
            self._links[hop].enqueue(self, payload, size, hop)
        elif self._latency_s:
            self._virtual.after(self._latency_s, lambda: self._arrive(payload))
        else:
            self._arrive(payload)

    def _arrive(self, payload: Payload) -> None:
        if self.is_open:
            self._deliver(payload)
