"""How many requests may be under way at one host. Small requests never have to wait behind bodies."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from attrs import define

from transload.threads import Cancellation

Lane = Literal["small", "read", "write"]
RESERVED = 2
"""Slots that are kept free for small requests."""
_LOOK_S = 0.5


@define
class Busyness:
    """Requests under way at one host."""

    small: int = 0
    read: int = 0
    write: int = 0


def admits(lane: Lane, busy: Busyness, slots: int) -> bool:
    """Whether one more request of this kind may begin.

    Bodies take at most `slots - RESERVED` in each direction. Reads and writes have separate limits: a copy within one
    registry holds one of each, and with a common limit all copies could wait for one another.
    """
    bodies = max(1, slots - RESERVED)
    if lane == "small":
        return busy.small < max(min(RESERVED, slots), slots - max(busy.read, busy.write))
    return (busy.read if lane == "read" else busy.write) < bodies


class Slots:
    """Slots of one host."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._busy = Busyness()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, lane: Lane, cancellation: Cancellation) -> Iterator[None]:
        """Wait for a slot, and hold it for the block. Raises `Interrupted`.

        A thread that already holds a slot for a body, at any host, does not wait: it would block the slot it holds.
        """
        nested = _HELD.count() > 0
        with self._changed:
            while not (nested or admits(lane, self._busy, self._slots)):
                cancellation.check()
                self._changed.wait(_LOOK_S)
            setattr(self._busy, lane, getattr(self._busy, lane) + 1)
        owner = _HELD.add() if lane != "small" else None
        try:
            yield
        finally:
            _HELD.remove(owner)
            with self._changed:
                setattr(self._busy, lane, getattr(self._busy, lane) - 1)
                self._changed.notify_all()


class _Held:
    """How many bodies each thread has under way. Counted by thread id: another thread may leave the block."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[int] = Counter()

    def count(self) -> int:
        return self._counts.get(threading.get_ident(), 0)

    def add(self) -> int:
        owner = threading.get_ident()
        with self._lock:
            self._counts[owner] += 1
        return owner

    def remove(self, owner: int | None) -> None:
        if owner is None:
            return
        with self._lock:
            self._counts[owner] -= 1
            if not self._counts[owner]:
                del self._counts[owner]


_HELD = _Held()
