"""Reads a blob on several connections, each a thread of its own, and hands its bytes on in order.

Invariants:
1. what is handed on came with the `Content-Range` that was asked for, of a blob of the promised size;
2. no reader is needed: each may end at any time, and what it lacks is read by others, or by the caller afterwards;
3. a reader that waits for room ends after a moment. So those that hold connections never wait for one another;
4. when the run is to end, bytes that came early are handed on if the gaps before them close within a moment.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from transload.errors import Interrupted, TransloadError, Truncated
from transload.limits import SEGMENT_LEAST_BYTES
from transload.net.messages import Answer
from transload.net.slots import NoSlot
from transload.oci import Descriptor
from transload.ports import Chunk
from transload.registry.api import Api
from transload.registry.experience import HELPS, NO_HELP, Experience
from transload.registry.parting import Parting
from transload.registry.parts import NoParts, Parts
from transload.registry.room import BLOCK, ROOM, Room
from transload.registry.segments import Block, Segment, Segments, segment_bytes
from transload.threads import Cancellation, TaskGroup
from transload.values import define

_LOOK_S = 0.05
_PAUSE_S = 1.0  # a reader that finds no room for so long is not needed
_LATE_S = 2.0  # a first byte that takes longer may never come
_AGE_S, _AGE_ROUND_TRIPS = 0.5, 8  # a shorter time is not enough to call a connection slow, as TCP starts slowly
_TAKEN_OVER = 3  # times that one segment is taken from a slow connection
_HALVED_S, _HALVED_ROUND_TRIPS = 0.5, 3
_LEAST_ROUND_TRIPS = 1  # a segment that takes less is not worth a request


class _NotNeeded(Exception):
    """The caller takes the bytes more slowly than the other readers bring them."""


@define(eq=False)
class _Reader:
    """One connection: what it reads now, since when, and when the first byte came."""

    extra: bool
    token: Cancellation | None = None
    part: Segment | None = None
    from_byte: int = 0
    asked_s: float = 0.0
    first_s: float | None = None
    gives_way: bool = False


class Together:
    """Reads the bytes of a blob from `start` to before `end`; always `close`. It may stop early.

    `alone` is how many bytes a second one connection brought; None if that was not measured.
    """

    def __init__(
        self, *, api: Api, repository: str, descriptor: Descriptor, start: int, end: int, known: Experience,
        alone: float | None, room: Room = ROOM,
    ) -> None:  # fmt: skip
        self._api = api
        self._known = known
        self._room = room
        self._parts = Parts(api, repository, descriptor)
        self._segments = Segments(start, end)
        self._changed = threading.Condition()
        self._readers: set[_Reader] = set()
        self._failures = 0
        self._alone = alone
        self._first_s: float | None = None
        self._moved_s = api.http.clock.monotonic_s()
        self._received = 0
        self._lent: Block | None = None
        self._ends = False
        self._parting = Parting(api.http.clock, api.http.cancellation)
        self._before = 1  # bytes that have to come on another connection first; how many matters only at the end
        self.is_refused = False
        """Whether it has sent something else, so that it gets one stream."""
        self._held = ExitStack()
        room.enter()
        self._held.callback(room.leave)
        self._held.callback(self._clear)
        self._group = self._held.enter_context(TaskGroup(api.http.cancellation))
        self._held.callback(self._stop)

    # --- for the caller

    @property
    def helps(self) -> bool | None:
        """Whether several connections are clearly faster than one; None as long as that is not certain."""
        alone, rate = self._alone, self.rate
        if alone is None or self._took_s < self._known.judged_s:
            return None
        if rate > HELPS * alone:
            return True
        alone_there = self._api.reading.in_use <= len(self._readers)  # else others may take up the line
        return False if alone_there and len(self._readers) > HELPS and rate < NO_HELP * alone else None

    @property
    def rate(self) -> float:
        """The bytes a second that have come since the first ones did."""
        return self._received / max(1e-9, self._took_s)

    @property
    def _took_s(self) -> float:
        return 0.0 if self._first_s is None else self._api.http.clock.monotonic_s() - self._first_s

    def staff(self) -> bool:
        """Start as many readers as are of use and allowed. False if there is none."""
        with self._changed:
            while not self._ends and self._wanted > len(self._readers) and self._api.reading.take():
                if not self._start(extra=True):
                    self._api.reading.leave(taken=True)
                    break
            return bool(self._readers)

    def await_confirmation(self) -> bool:
        """Wait until a reader has got its part, but not for long. False if none gets one."""
        clock = self._api.http.clock
        until_s = clock.monotonic_s() + max(_LATE_S, 4 * self._known.latency_s)
        with self._changed:
            while self._readers and clock.monotonic_s() < until_s:
                if self._parts.is_confirmed or self.is_refused or self._parting.is_asked:
                    break
                self._changed.wait(_LOOK_S)
        return self._parts.is_confirmed and not self.is_refused

    def chunks(self) -> Iterator[Chunk]:
        """The bytes in order, to the end or to where this stops. A piece is good until the next one is asked for.

        While nothing comes, the pieces are empty, so that whoever reads can end this.
        """
        while True:
            with self._changed:
                self._before = 0
                self._give_back()
                block = self._lent = self._segments.next_block()
                if block is None and (self._segments.position >= self._segments.end or self._is_over()):
                    return
                if self._parting.is_asked:
                    self._parting.check(goes_on=block is not None or (self._worth or 0) > self._segments.position)
                if block is None:
                    self._changed.wait(_LOOK_S)
            if block is None and not self._parting.is_asked:
                self._look()
            yield memoryview(block.memory)[: block.used] if block is not None else b""

    def dissolve(self) -> None:
        """Begin no new segment. What has begun is still handed on."""
        with self._changed:
            self._segments.stop_here()

    def close(self) -> None:
        """End all readers. Raises what is wrong with one of them, if that is a bug."""
        self._held.close()

    # --- when the run is to end

    def waits_for(self, before: int) -> bool:
        """Whether it keeps what came early that so many bytes still come on another connection, although all ends."""
        with self._changed:
            self._before = before
            return self._worth is not None

    @property
    def _worth(self) -> int | None:
        """Up to where readers go on then (see `Segments.worth_waiting_for`)."""
        rate = self._known.expected_rate if self._first_s is None else self.rate / max(1, len(self._readers))
        return self._segments.worth_waiting_for(self._parting.left_s, rate, before=self._before)

    def _check_part(self, part: Segment) -> None:
        """Raise `Interrupted` if the reader of this segment should end."""
        if self._ends or self._parting.is_asked:
            with self._changed:
                worth = None if self._ends else self._worth
            if worth is None or part.start >= worth:
                raise Interrupted("interrupted")

    # --- looking after the readers

    @property
    def _wanted(self) -> int:
        """How many readers are of use for what is left, within the limit on the rate. Pure but for what is known."""
        rate, latency_s = self._known.expected_rate, self._known.latency_s
        worth = sum(reader.part is not None for reader in self._readers)
        if self._parts.are_full:
            return 0
        if self._segments.can_claim(self._ahead):
            worth += int(self._segments.left / max(1.0, rate * latency_s, BLOCK))
        elif self._all_begun:
            worth += self._segments.longest() >= self._worth_halving
        limit = self._api.http.settings.limits.lowest
        return worth if limit is None else min(worth, max(1, int(limit // rate)))

    @property
    def _all_begun(self) -> bool:
        return self._segments.frontier >= self._segments.end

    @property
    def _worth_halving(self) -> int:
        """How many bytes must be to come of a segment, so that a second connection to it is of use."""
        long_s = _HALVED_S + _HALVED_ROUND_TRIPS * self._known.latency_s
        return max(int(self._known.expected_rate * long_s), 4 * BLOCK)  # what has just come must lie in the first half

    @property
    def _ahead(self) -> int:
        return 2 * self._room.share

    def _start(self, *, extra: bool) -> bool:
        self._readers.add(reader := _Reader(extra))
        try:
            self._group.start(self._read, reader)
        except TransloadError:  # the system gives no more threads
            self._readers.discard(reader)
            return False
        return True

    def _is_over(self) -> bool:
        """Whether the next byte does not come from here."""
        http = self._api.http
        head = self._segments.head
        if self.is_refused and not (head and head.claimed and self._readers):
            return True
        late_s = http.clock.monotonic_s() - self._moved_s
        spent = self._failures >= http.settings.attempts or late_s >= http.settings.give_up_after_s
        return spent and (head is None or not head.claimed)

    def _look(self) -> None:
        """The next byte has not come. Have more readers if possible, at least one; and no reader that is too slow."""
        with self._changed:
            self._take_over()
            needed = not (self.is_refused or self._parts.are_full) and self._segments.can_claim(self._ahead)
            if needed and all(reader.extra for reader in self._readers):
                self._api.reading.enter()
                if not self._start(extra=False):
                    self._api.reading.leave()
                    self._failures += 1
        self.staff()

    def _take_over(self) -> None:
        """End the connection that the next byte should come on, if another one would clearly be faster."""
        head = self._segments.head
        reader = next((reader for reader in self._readers if reader.part is head), None)
        if head is None or reader is None or reader.token is None or head.left >= _TAKEN_OVER:
            return
        if reader.asked_s and self._is_late(reader, head):
            self._api.http.cut(reader.token)

    def _is_late(self, reader: _Reader, head: Segment) -> bool:
        now_s, latency_s = self._api.http.clock.monotonic_s(), self._known.latency_s
        if reader.first_s is None:
            return now_s - reader.asked_s > max(_LATE_S, 4 * latency_s)
        age_s, others = now_s - reader.first_s, self._known.rate
        if age_s < max(_AGE_S, latency_s, _AGE_ROUND_TRIPS * self._known.round_trip_s) or others is None:
            return False
        rate, rest = (head.at - reader.from_byte) / age_s, head.end - head.at
        return rest / max(rate, 1.0) > 2 * (latency_s + rest / others) + _AGE_S

    # --- in the threads of the readers

    def _read(self, reader: _Reader) -> None:
        try:
            while not (self._ends or self._segments_of(reader) is None):
                if not self._fill(reader) or (reader.extra and self._api.reading.gives_way):
                    return
        finally:
            with self._changed:
                self._readers.discard(reader)
                self._changed.notify_all()
            self._api.reading.leave(taken=reader.extra)

    def _segments_of(self, reader: _Reader) -> Segment | None:
        """The next segment, which may have to be waited for a moment."""
        clock = self._api.http.clock
        until_s = clock.monotonic_s() + _PAUSE_S
        with self._changed:
            while not (self._ends or self.is_refused or self._parting.is_asked):
                count = len(self._readers)
                rate, latency_s = self._known.expected_rate, self._known.latency_s
                length = segment_bytes(self._room.share, count, rate=rate, latency_s=latency_s)
                least = int(min(length, max(SEGMENT_LEAST_BYTES, _LEAST_ROUND_TRIPS * rate * latency_s)))
                reader.part = self._segments.claim(length, self._ahead, count, least)
                if reader.part is None and self._all_begun:
                    reader.part = self._segments.split(self._worth_halving, int(2 * rate * latency_s))
                if reader.part is not None:
                    reader.from_byte, reader.asked_s, reader.first_s = reader.part.at, 0.0, None
                    reader.token = Cancellation.within(self._group.cancellation)
                    return reader.part
                if self._all_begun or clock.monotonic_s() >= until_s:
                    return None
                self._changed.wait(_LOOK_S)
        return None

    def _fill(self, reader: _Reader) -> bool:
        """Read the reader's segment. False if the reader should end."""
        part, token, goes_on = reader.part, reader.token, False
        if part is None or token is None:
            return False
        try:
            self._ask(reader, part, token)
            goes_on = part.is_whole
        except Interrupted:  # the whole reading ends, or another connection takes this segment over
            goes_on = not (self._group.cancellation.cancelled or reader.gives_way)
        except (_NotNeeded, NoSlot):
            pass
        except NoParts:
            self._api.capabilities.learn("ranges", False)
            self.is_refused = True
        except TransloadError:
            with self._changed:
                self._failures += 1
        finally:
            with self._changed:
                if part.at > reader.from_byte:
                    self._failures = 0
                self._segments.put_back(part)
                reader.part = reader.token = None
                self._changed.notify_all()
        return goes_on

    def _ask(self, reader: _Reader, part: Segment, token: Cancellation) -> None:
        clock = self._api.http.clock
        reader.asked_s = clock.monotonic_s()
        with self._parts.open(part.at, part.end, token, partial(self._give_way, reader)) as answer:
            self._take(answer, reader, part)
        took_s = clock.monotonic_s() - (reader.first_s or reader.asked_s)
        if took_s > 0 and part.at - reader.from_byte >= BLOCK:
            self._known.rates.append((part.at - reader.from_byte) / took_s)
        if not part.is_whole:
            raise Truncated(f"{self._parts.doing}: a part of it ended early")

    def _give_way(self, reader: _Reader) -> None:
        """A small request needs the connection now."""
        reader.gives_way = True
        self._api.reading.gave_way()
        if reader.token is not None:
            self._api.http.cut(reader.token)

    def _take(self, answer: Answer, reader: _Reader, part: Segment) -> None:
        clock = self._api.http.clock
        self._known.latencies_s.append(clock.monotonic_s() - reader.asked_s)
        reader.first_s = clock.monotonic_s()
        self._first_s = self._first_s or reader.first_s
        for piece in answer.chunks(BLOCK, partial(self._check_part, part)):
            self._api.reading.moved(len(piece))
            self._moved_s = clock.monotonic_s()
            self._received += len(piece)  # of several threads; a judgement needs no exact sum
            self._keep(memoryview(piece)[: part.end - part.at], part)
            if part.is_whole:
                return

    def _keep(self, rest: memoryview, part: Segment) -> None:
        """Put bytes into the room. Raises `_NotNeeded` if there is none for long: the caller takes them slowly."""
        clock, block = self._api.http.clock, None
        until_s = clock.monotonic_s() + _PAUSE_S
        while True:
            with self._changed:
                if block is not None:
                    part.blocks.append(Block(block))
                rest = part.pack(rest)
                is_next = part is self._segments.head
                if is_next:
                    self._changed.notify_all()
                if not rest:
                    return
                is_next = is_next and not part.blocks
            block = self._room.take(beyond=is_next)
            if block is None:
                self._room.await_block(_LOOK_S)
                self._check_part(part)
                if clock.monotonic_s() >= until_s:
                    raise _NotNeeded

    # --- the end

    def _give_back(self) -> None:
        if self._lent is not None:
            self._room.give(self._lent.memory)
            self._lent = None

    def _stop(self) -> None:
        """Wake all readers; the group waits for them."""
        with self._changed:
            self._ends = True
            tokens = [reader.token for reader in self._readers if reader.token is not None]
            self._changed.notify_all()
        self._group.cancellation.cancel()
        for token in tokens:
            self._api.http.cut(token)

    def _clear(self) -> None:
        self._give_back()
        self._room.give(*self._segments.drop())
