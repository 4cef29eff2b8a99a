"""Carries connections to a server over an imitated wire: one thread, an epoll, a pipe for each direction.

Bytes enter the wire no faster than its rates allow and leave it when their delay is over. Between the two they lie in a
pipe, and are never copied into this process.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import heapq
import itertools
import os
import random
import resource
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable

from benchmarks.profiles import Profile, bulk_s, longest_chain

PIPE_BYTES = 1 << 20
SOCKET_BUFFER = 512 << 10
LARGEST_PIECE, SMALLEST_PIECE = 1 << 20, 16 << 10
TURNS = 4
LATE_S = 0.010  # a wake-up that comes late by so much loses nothing of the rate
BROKEN_WITHIN = 256 << 10
_EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_SPLICE = getattr(os, "SPLICE_F_NONBLOCK", 2) | getattr(os, "SPLICE_F_MOVE", 1)
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Line:
    """What all connections of one direction share. A rate of 0 is no limit."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.free_s = 0.0
        self.waiting: deque[Way] = deque()
        self.wakes_s: float | None = None

    def take(self, count: int, now_s: float) -> None:
        if self.rate:
            self.free_s = max(self.free_s, now_s - LATE_S) + count / self.rate


class Way:
    """One direction of a connection."""

    def __init__(self, link: Link, source: socket.socket, sink: socket.socket, line: Line) -> None:
        self.link, self.line = link, line
        self.source, self.sink = source.fileno(), sink
        self.out, self.into = os.pipe2(os.O_NONBLOCK)
        with contextlib.suppress(OSError):  # a user has a bound for all pipes together
            fcntl.fcntl(self.into, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.queue: deque[tuple[float, int]] = (
            deque()
        )  # when a piece is due at the other end, and its size; 0 is the end
        self.held = 0
        self.free_s = 0.0
        self.wakes_s: float | None = None
        self.readable = self.writable = True
        self.ended = self.finished = self.in_line = False
        self.doomed_after: int | None = None


class Link:
    """A client's connection, and ours to the server."""

    def __init__(self, client: socket.socket, server: socket.socket, up: Line, down: Line) -> None:
        self.client, self.server = client, server
        self.up = Way(self, client, server, up)
        self.down = Way(self, server, client, down)
        self.asked_s: float | None = None
        self.spoke = self.closed = False


class Splicer:
    """Listens, and carries what comes to the server and back."""

    def __init__(self, port: int, server_port: int, profile: Profile, seed: int = 1) -> None:
        self.profile, self._server_port = profile, server_port
        self._random = random.Random(seed)
        self._most_files()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(1024)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[], None]] = {}
        self._ways: dict[int, tuple[Way, Way]] = {}  # by socket: the way that reads it, the way that writes it
        self._timers: list[tuple[float, int, Way | Line]] = []
        self._order = itertools.count()
        self._lines = Line(profile.line_rate), Line(profile.line_rate)
        slowest = min((rate for rate in (profile.connection_rate, profile.line_rate) if rate), default=0.0)
        self._piece = int(min(LARGEST_PIECE, max(SMALLEST_PIECE, slowest * 0.002))) if slowest else LARGEST_PIECE
        on_the_wire = int((profile.connection_rate or profile.line_rate) * profile.way_s * 1.25)
        self._most_held = on_the_wire + 4 * self._piece
        self._connections = self._handshakes = self._exchanges = self._resets = self._up = self._down = 0
        self._came: list[tuple[float, int]] = []
        self._open = self._most_open = 0
        self._spent_s = 0.0
        self._spans: list[tuple[float, float]] = []
        self.watch(self._listener.fileno(), self._accept)

    def watch(self, descriptor: int, then: Callable[[], None]) -> None:
        """Call `then` whenever there is something to read."""
        self._watched[descriptor] = then
        self._epoll.register(descriptor, select.EPOLLIN)

    def counts(self) -> dict[str, float]:
        """What passed since the last time, as the fields of `Counts`."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        spent_s, self._spent_s = self._spent_s, usage.ru_utime + usage.ru_stime
        found = {
            "connections": self._connections,
            "handshakes": self._handshakes,
            "exchanges": self._exchanges,
            "resets": self._resets,
            "up_bytes": self._up,
            "down_bytes": self._down,
            "down_s": round(bulk_s(self._came), 3),
            "in_sequence": longest_chain(self._spans),
            "most_connections": self._most_open,
            "cpu_s": round(self._spent_s - spent_s, 3),
        }
        self._connections = self._handshakes = self._exchanges = self._resets = self._up = self._down = 0
        self._most_open = self._open
        self._spans.clear()
        self._came.clear()
        return found

    def run(self) -> None:
        """For ever."""
        while True:
            wait_s = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            select.select([self._epoll], (), (), wait_s)  # epoll itself waits for whole milliseconds only
            for way in self._woken():
                try:
                    self._advance(way)
                except OSError:
                    self._abort(way.link)
            for line in self._lines:
                if line.waiting:
                    self._at(line.free_s, line)

    # --- inside

    def _woken(self) -> list[Way]:
        woken: dict[Way, None] = {}
        for descriptor, mask in self._epoll.poll(0):
            if descriptor in self._watched:
                self._watched[descriptor]()
                continue
            reading, writing = self._ways.get(descriptor, (None, None))
            if reading and mask & ~select.EPOLLOUT:
                reading.readable = True
                woken[reading] = None
            if writing and mask & ~select.EPOLLIN:
                writing.writable = True
                woken[writing] = None
        now_s = time.monotonic()
        while self._timers and self._timers[0][0] <= now_s:
            when_s, _, due = heapq.heappop(self._timers)
            if due.wakes_s == when_s:
                due.wakes_s = None
            if isinstance(due, Way):
                woken[due] = None
            elif due.waiting:
                way = due.waiting.popleft()
                way.in_line = False
                woken[way] = None
        return list(woken)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = self._connected()
                except OSError:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                    client.close()
                    continue
                link = Link(client, server, *self._lines)
                link.up.free_s = time.monotonic() + self.profile.round_trip_s  # the handshake of TCP
                for end, ways in ((client, (link.up, link.down)), (server, (link.down, link.up))):
                    end.setblocking(False)
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._ways[end.fileno()] = ways
                    self._epoll.register(end.fileno(), _EVENTS)
                if self.profile.round_trip_s:
                    self._spans.append((link.up.free_s - self.profile.round_trip_s, link.up.free_s))
                self._connections += 1
                self._open += 1
                self._most_open = max(self._most_open, self._open)

    def _connected(self) -> socket.socket:
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        server.connect(("127.0.0.1", self._server_port))
        return server

    def _advance(self, way: Way) -> None:
        """Take in what there is room for, hand out what is due, as long as either makes room for the other."""
        for _ in range(TURNS):
            if way.link.closed or not (self._take_in(way) | self._hand_out(way)):
                break
        else:
            self._at(time.monotonic(), way)  # others first
        if way.link.up.finished and way.link.down.finished:
            self._close(way.link)

    def _take_in(self, way: Way) -> bool:
        moved = False
        while way.readable and not way.ended and not way.in_line and way.held < self._most_held:
            now_s = time.monotonic()
            if way.free_s > now_s:
                self._at(way.free_s, way)
                break
            if way.line.rate and way.line.free_s > now_s:
                way.in_line = True
                way.line.waiting.append(way)
                break
            self._look_at_first(way)
            try:
                count = os.splice(way.source, way.into, self._piece, flags=_SPLICE)
            except BlockingIOError:
                way.readable = way.held > 0  # with bytes in the pipe it may be that which is full
                break
            way.ended = count == 0
            way.queue.append((now_s + self.profile.way_s, count))
            way.held += count
            way.line.take(count, now_s)
            if self.profile.connection_rate:
                way.free_s = max(way.free_s, now_s - LATE_S) + count / self.profile.connection_rate
            if count and way is way.link.up:
                self._spoken(way.link, now_s)
            moved = True
        return moved

    def _hand_out(self, way: Way) -> bool:
        moved = False
        while way.queue and way.writable:
            due_s, count = way.queue[0]
            now_s = time.monotonic()
            if due_s > now_s:
                self._at(due_s, way)
                break
            if count == 0:
                way.queue.popleft()
                way.finished = True
                way.sink.shutdown(socket.SHUT_WR)
                break
            if way.doomed_after is not None:
                if way.doomed_after == 0:
                    self._resets += 1
                    raise ConnectionResetError(errno.ECONNRESET, "as the profile wants it")
                count = min(count, way.doomed_after)
            try:
                count = os.splice(way.out, way.sink.fileno(), count, flags=_SPLICE)
            except BlockingIOError:
                way.writable = False
                break
            self._handed_out(way, count, now_s)
            moved = True
        return moved

    def _handed_out(self, way: Way, moved: int, now_s: float) -> None:
        due_s, size = way.queue[0]
        if moved == size:
            way.queue.popleft()
        else:
            way.queue[0] = (due_s, size - moved)
        way.held -= moved
        if way.doomed_after is not None:
            way.doomed_after -= moved
        if way is way.link.up:
            self._up += moved
            return
        self._down += moved
        self._came.append((now_s, moved))
        if way.link.asked_s is not None:
            self._spans.append((way.link.asked_s, now_s))
            way.link.asked_s = None

    def _look_at_first(self, way: Way) -> None:
        """The first byte of a connection says whether it will be TLS (22 is a handshake: RFC 8446, section 5.1)."""
        if way is way.link.up and not way.link.spoke:
            with contextlib.suppress(BlockingIOError):
                first = way.link.client.recv(1, socket.MSG_PEEK)
                way.link.spoke = True
                self._handshakes += first == b"\x16"

    def _spoken(self, link: Link, now_s: float) -> None:
        """A client says something: an exchange begins, unless it is the rest of what it said before."""
        if link.asked_s is not None:
            return
        link.asked_s = now_s
        self._exchanges += 1
        if self.profile.reset_share and self._random.random() < self.profile.reset_share:
            doomed = self._random.choice((link.up, link.down))
            doomed.doomed_after = self._random.choice((0, self._random.randrange(BROKEN_WITHIN)))

    def _at(self, when_s: float, what: Way | Line) -> None:
        if what.wakes_s is None or what.wakes_s > when_s:
            what.wakes_s = when_s
            heapq.heappush(self._timers, (when_s, next(self._order), what))

    def _abort(self, link: Link) -> None:
        for end in (link.client, link.server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._close(link)

    def _close(self, link: Link) -> None:
        if link.closed:
            return
        link.closed = True
        self._open -= 1
        for end in (link.client, link.server):
            self._ways.pop(end.fileno(), None)
            end.close()
        for way in (link.up, link.down):
            os.close(way.out)
            os.close(way.into)
            way.queue.clear()
            with contextlib.suppress(ValueError):
                way.line.waiting.remove(way)

    @staticmethod
    def _most_files() -> None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
