"""Requests under way: the bytes that each has moved, and one thread that ends those whose host is silent or too slow.

A thread that waits for a socket cannot end its own wait. So the watch shuts the connection down, and the wait ends.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from urllib3.util.wait import wait_for_read

from transload.clock import Clock
from transload.net.patience import Kind, Patience
from transload.net.settings import NetSettings
from transload.net.window import ReceiveWindow
from transload.threads import Cancellation

Verdict = Literal["slow", "silent", "given-up", "interrupted"]

WINDOW_S = 60.0
_TICK_S = 0.25
_TRICKLE_S = 5.0  # a shorter time is not enough to measure a rate
_PARTING_S = 1.0  # after Ctrl-C, requests have this long to end by themselves
_ANSWER_S = 5.0  # for the answer to a body that ended early


class Flight:
    """One request: `moved` bytes in either direction, and why it was cut, if it was. Only one thread adds bytes."""

    def __init__(
        self, patience: Patience, kind: Kind, clock: Clock, least: float, receive_buffer: int | None = None
    ) -> None:
        self.patience = patience
        self.kind = kind
        self._least = least
        self._receive_buffer = receive_buffer
        is_body = kind.lane == "read" and receive_buffer is None
        self._window = ReceiveWindow(clock.monotonic_s()) if is_body else None
        self._busy_s = 0.0
        self._first_s: float | None = None
        self._trickled = False
        self.moved = 0
        self.verdict: Verdict | None = None
        self.on_wire = False
        self.is_last = False
        """Whether this is the last answer that is taken from the host; it may be read to its end."""
        self.cancellation: Cancellation | None = None
        self.ends_early = False
        """Whether its body ends by itself when the work is cancelled, as soon as its source lets it."""
        self.looked_after: Callable[[], None] | None = None
        """Called again and again while the host has to act next; it may end the request."""
        self._clock = clock
        self._socket: weakref.ref[socket.socket] | None = None
        self._mark = 0
        self.began_s = self._mark_s = clock.monotonic_s()
        self._paused_s: float | None = None

    def hold(self, opened: socket.socket) -> None:
        """The request uses this connection."""
        self._socket = weakref.ref(opened)
        if self._receive_buffer is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        if isinstance(opened, MeteredSocket):
            opened.flight = self
        if self.verdict is not None:  # it was cut before it had a connection
            self.cut(self.verdict)

    def turn(self) -> None:
        """One part (the request, or the headers) is over; the next part is measured anew."""
        now_s = self._clock.monotonic_s()
        if self._first_s is not None and now_s - self._first_s >= _TRICKLE_S:
            self._trickled |= self.moved - self._mark < self._least * (now_s - self._first_s)
        self._mark, self._mark_s, self._first_s = self.moved, now_s, None

    def landed(self) -> None:
        """The whole answer is here. An answer that trickled in is not counted as useful; one that came late is."""
        self.turn()
        if not self._trickled:
            self.patience.useful(self.kind)

    def pause(self) -> None:
        """Our own side is busy; this time does not count against the host."""
        if self._paused_s is None:
            self._paused_s = self._clock.monotonic_s()
            self.patience.end(self.kind, self._paused_s)

    def resume(self) -> None:
        """We wait for the host again."""
        if self._paused_s is not None:
            now_s = self._clock.monotonic_s()
            self.patience.begin(self.kind, now_s)
            gap_s = now_s - self._paused_s
            self._mark_s += gap_s
            self._busy_s += gap_s
            self._first_s = None if self._first_s is None else self._first_s + gap_s
            self._paused_s = None

    def end(self) -> None:
        """It is over; another request may use its connection now."""
        opened = self._opened
        self._socket = None
        if self._window is not None and opened is not None:
            self._window.widen(opened)
        self.pause()

    def cut(self, verdict: Verdict) -> None:
        """Shut the connection down in both directions; a thread that waits for bytes sees the end."""
        self.verdict = self.verdict or verdict
        opened = self._opened
        if opened is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(opened, socket.SHUT_RDWR)  # the plain method: no TLS goodbye is sent

    def fit_window(self) -> None:
        """Let the system keep only what is soon taken, if this is a body, and we are slower than its server."""
        opened, paused_s = self._opened, self._paused_s
        if self._window is None or not isinstance(opened, socket.socket):
            return
        now_s = self._clock.monotonic_s()
        self._window.fit(opened, now_s, self.moved, self._busy_s + (0.0 if paused_s is None else now_s - paused_s))
        if self._socket is None:  # it ended meanwhile, and another request may have the connection
            self._window.widen(opened)

    @property
    def _opened(self) -> socket.socket | None:
        return self._socket() if self._socket is not None else None

    @property
    def is_ending(self) -> bool:
        """Whether cancelled work ends this request by itself: its source is about to end, or the answer is due."""
        return self.ends_early and (not self.waits or self._clock.monotonic_s() - self._mark_s < _ANSWER_S)

    @property
    def waits(self) -> bool:
        """Whether the host has to act next."""
        return self.on_wire and self._paused_s is None

    def look(self, window_s: float, budget_s: float) -> bool:
        """Judge the request now, and cut it if it is slow or silent. True if it moves at the least rate."""
        if not self.waits:
            return False
        least = self._least
        waited_s, moved = self._clock.monotonic_s() - self._mark_s, self.moved - self._mark
        if moved and self._first_s is None:
            self._first_s = self._clock.monotonic_s()
        if moved and moved >= least * window_s:
            self.turn()
            self.patience.useful(self.kind)
            return True
        if moved and waited_s >= window_s:
            self.cut("slow")
        elif waited_s >= budget_s:
            self.cut("silent")
        return moved > 0 and moved >= least * waited_s


class Watch:
    """All flights of one `Http`. Its thread lives while there are any."""

    def __init__(self, settings: NetSettings, clock: Clock, cancellation: Cancellation) -> None:
        self.window_s = min(WINDOW_S, settings.give_up_after_s / 2)
        self._settings = settings
        self._clock = clock
        self._cancellation = cancellation
        self._tick_s = min(_TICK_S, settings.give_up_after_s / 8)
        self._lock = threading.Lock()
        self._flights: set[Flight] = set()
        self._running = False
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._local = threading.local()

    @property
    def current(self) -> Flight | None:
        """The flight that this thread is sending."""
        return getattr(self._local, "flight", None)

    @contextmanager
    def flight(self, patience: Patience, kind: Kind, cancellation: Cancellation | None = None) -> Iterator[Flight]:
        """A flight that lasts as long as the block. Its time starts here, before anything is sent."""
        least, receive_buffer = self._settings.min_rate, self._settings.receive_buffer
        flight = Flight(patience, kind, self._clock, least, receive_buffer=receive_buffer)
        flight.cancellation = cancellation
        patience.begin(kind, flight.began_s)
        with self._lock:
            self._flights.add(flight)
            start, self._running = not self._running, True
        if start:
            self._start()
        try:
            yield flight
        finally:
            with self._lock:
                self._flights.discard(flight)
            flight.end()

    @contextmanager
    def sending(self, flight: Flight) -> Iterator[None]:
        """Within the block, this thread's connections belong to the flight."""
        self._local.flight, flight.on_wire = flight, True
        flight.turn()
        try:
            yield
        finally:
            self._local.flight = None

    def cut(self, cancellation: Cancellation | None = None) -> None:
        """End every connection because the work was cancelled, or those that were made with this token."""
        for flight in self._all():
            if not flight.is_ending and cancellation in {None, flight.cancellation}:
                flight.cut("interrupted")

    def close(self) -> None:
        """End the thread now. Without this it ends a moment after the last flight."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _all(self) -> list[Flight]:
        with self._lock:
            return list(self._flights)

    def _start(self) -> None:
        self._closed = closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(closed,), name="watch", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system gives no more threads; the timeouts of the sockets still work
            self._running, self._thread = False, None

    def _watch(self, closed: threading.Event) -> None:
        idle, cancelled_s = 0, 0.0
        while True:
            try:
                closed.wait(self._tick_s)
            except (MemoryError, RuntimeError):  # there is no memory for a lock; the timeouts of the sockets still work
                self._running = False
                return
            with self._lock:
                idle = 0 if self._flights else idle + 1
                if idle > 8 or closed.is_set():  # a burst of small requests shares one thread
                    self._running = False
                    return
            cancelled_s += self._tick_s if self._cancellation.cancelled else 0
            if cancelled_s >= _PARTING_S:
                self.cut()
            self._look()

    def _look(self) -> None:
        flights = self._all()
        budget_s = self._settings.give_up_after_s
        for flight in flights:
            flight.fit_window()
            if flight.looked_after is not None and flight.waits:
                flight.looked_after()
        lively = [flight for flight in flights if flight.look(self.window_s, budget_s)]
        waiting = {flight.patience for flight in flights if flight.waits}
        for patience in {flight.patience for flight in flights}:
            if patience.is_over():
                for flight in flights:
                    if flight.patience is patience and not flight.is_last:
                        flight.cut("given-up")
            elif patience in waiting:
                patience.tell_silence({flight.kind for flight in lively if flight.patience is patience})


class MeteredSocket(socket.socket):
    """Adds the bytes that it receives to its flight. One thread at a time uses it.

    It asks the system no more often than needed: each call lets another thread run, and waits for its turn afterwards.
    """

    flight: Flight | None = None
    _poll: Any = None

    def settimeout(self, value: float | None) -> None:
        """See `socket`. urllib3 sets the same time twice for each request."""
        if value != self.gettimeout():
            super().settimeout(value)

    def comes_within(self, seconds: float) -> bool:
        """Whether anything comes within so many seconds, or the end: wait as long for it."""
        if not hasattr(select, "poll"):  # Windows
            return wait_for_read(self, timeout=seconds)
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self, select.POLLIN)
        return bool(self._poll.poll(seconds * 1000))

    def recv_into(self, *arguments: Any) -> int:
        """See `socket`."""
        size = super().recv_into(*arguments)
        if self.flight is not None:
            self.flight.moved += size
        return size
