"""How many requests may be under way at one host: fewer after the host asked to slow down, and slowly more again.

A small request waits behind bodies only where few requests are allowed. An extra connection to a blob that has one may
use the slots that are kept for small requests, and gives way as soon as another request needs its own.

A thread that sends a body never waits: the bytes that it sends may come from a request that it has to repeat. So
whoever holds a slot for sending gets on, and all waiting ends.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from transload.errors import TooManyRequests
from transload.threads import Cancellation
from transload.values import define

Lane = Literal["small", "read", "write"]
RESERVED = 2
"""Slots that are kept free for small requests, where there are more than these."""
_MANY = 16
"""Of more slots than these, half are for small requests: over a long wire, these do nothing but wait."""
_LOOK_S = 0.5
_GROWTH = 0.25


@define
class Busyness:
    """Requests under way at one host."""

    small: int = 0
    read: int = 0
    write: int = 0
    extra: int = 0
    """Those among `read` that give way."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.small + self.read + self.write

    @property
    def without_one(self) -> Busyness:
        """The same when one of those that give way has ended."""
        return Busyness(self.small, self.read - 1, self.write, self.extra - 1)


def for_bodies(slots: int) -> int:
    """How many of these slots bodies may take in one direction."""
    return max(min(slots, _MANY), slots // 2) - min(RESERVED, slots - 1)


def admits(lane: Lane, busy: Busyness, slots: int, *, extra: bool = False) -> bool:
    """Whether one more request of this kind may begin; `extra` if it gives way to others.

    Reads and writes have separate limits: a copy within one registry holds one of each, and with a common limit all
    copies could wait for one another.
    """
    if lane == "small":
        kept, bodies = min(RESERVED, slots - 1), max(busy.read, busy.write)
        return busy.small < max(kept if bodies <= slots - kept else 0, slots - bodies)
    bodies = busy.read if lane == "read" else busy.write
    lasting = bodies - busy.extra if lane == "read" else bodies
    return (extra or lasting < for_bodies(slots)) and bodies + busy.small < slots


class NoSlot(TooManyRequests):
    """A request that must not wait found no slot."""


class Slots:
    """Slots of one host."""

    def __init__(self, slots: int) -> None:
        self.most = slots
        self._allowed = float(slots)
        self.at_a_time = slots
        """How many requests may be under way now."""
        self._busy = Busyness()
        self._extras: list[Callable[[], None]] = []
        self._changed = threading.Condition()

    @contextmanager
    def hold(
        self, lane: Lane, cancellation: Cancellation, *, queues: bool = True, give_way: Callable[[], None] | None = None
    ) -> Iterator[None]:
        """Wait for a slot, and hold it for the block. Raises `Interrupted`; `NoSlot` if it must not wait.

        Who can `give_way` does not wait, may have a slot that is kept for small requests, and is called when another
        request needs it.
        """
        held, mine = _HELD[threading.get_ident()], (self, lane)
        follows = self.most == 1 and lane == "small" and bool(held) and all(kind == "read" for _, kind in held)
        free = not follows and _never_waits(held, self, lane)
        with self._changed:
            while not (
                free
                or admits(lane, self._busy, self.at_a_time, extra=give_way is not None)
                or (follows and self._is_free_beside_reads())
            ):
                cancellation.check()
                if not queues or give_way is not None:
                    raise NoSlot("no more requests may be under way now")
                if self._extras and admits(lane, self._busy.without_one, self.at_a_time):
                    self._extras.pop()()
                self._changed.wait(_LOOK_S)
            setattr(self._busy, lane, getattr(self._busy, lane) + 1)
            if give_way is not None:
                self._extras.append(give_way)
                self._busy.extra += 1
        held.append(mine)
        try:
            yield
        finally:
            held.remove(mine)
            with self._changed:
                setattr(self._busy, lane, getattr(self._busy, lane) - 1)
                if give_way is not None:
                    self._busy.extra -= 1
                if give_way in self._extras:
                    self._extras.remove(give_way)
                self._changed.notify_all()

    def _is_free_beside_reads(self) -> bool:
        """With a single slot, the upload of a blob that is being read begins when the one before it has ended."""
        return not (self._busy.small or self._busy.write)

    def has_room(self, idle: int) -> bool:
        """Whether the requests under way and so many idle connections are no more than may be open."""
        with self._changed:
            return self._busy.total + idle <= self.at_a_time

    def halve(self) -> None:
        """Allow half of the requests that are under way now; at least one."""
        with self._changed:
            self._allow(min(self.at_a_time, self._busy.total) // 2)

    def keep_to_these(self) -> None:
        """Allow as many as are under way now, and no more; at least one."""
        with self._changed:
            self._allow(min(self.at_a_time, self._busy.total))

    def lower(self, slots: int) -> None:
        """Allow no more than these; at least one."""
        if slots < self._allowed:
            with self._changed:
                self._allow(slots)

    def grow(self) -> None:
        """A request succeeded: one more is allowed after some five times as many as may be under way."""
        if self._allowed < self.most:
            with self._changed:
                self._allow(min(self.most, self._allowed + _GROWTH / self._allowed))
                self._changed.notify_all()

    def _allow(self, slots: float) -> None:
        self._allowed = max(1.0, slots)
        self.at_a_time = int(self._allowed)


_HELD: defaultdict[int, list[tuple[Slots, Lane]]] = defaultdict(list)
"""The slots that each thread holds, by thread id: another thread may give them back. Each use is a single operation on
a list, so it needs no lock."""


def _never_waits(held: list[tuple[Slots, Lane]], slots: Slots, lane: Lane) -> bool:
    """Whether the next request of a thread must not wait, because of the slots that it holds.

    That is: if it sends a body anywhere, if a small request follows another one here, or if it reads a second body.
    """
    return any(kind == "write" or (at is slots and lane == "small") or lane == "read" for at, kind in list(held))
