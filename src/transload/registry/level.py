"""How many bodies move at a time at one registry, in one direction: counted here, without I/O.

Two kinds of connections move bytes: one for each body, and extra ones for bodies that are read in several places at
once. Bodies come first: an extra connection is given only if no body could use it, and is called back when one can.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from transload.clock import Clock

AT_FIRST = 8


class Level:
    """How many bodies move at a time: `at_a_time` now, never more than `most`. Safe for threads; nothing here waits."""

    def __init__(self, clock: Clock, most: int, at_first: int = AT_FIRST) -> None:
        self._clock = clock
        self._most = max(1, most)
        self._found = at_first
        self._lock = threading.Lock()
        self._bodies = 0
        self._taken = 0
        self._claims: list[LevelClaim] = []

    @property
    def at_a_time(self) -> int:
        """How many bodies may move now."""
        return max(1, min(self._found, self.most))

    @property
    def most(self) -> int:
        """How many may move at most: what the host leaves for bodies, and what the runs that use it allow."""
        asked = sum(claim.most for claim in self._claims)
        return min(self._most, asked) if asked else self._most

    @property
    def in_use(self) -> int:
        """How many connections move bodies now."""
        return self._bodies + self._taken

    def with_bodies(self, count: int) -> int:
        """How many connections are in use if so many bodies have one, or will soon."""
        return self._taken + max(self._bodies, count)

    def enter(self) -> None:
        """A body begins to move."""
        with self._lock:
            self._bodies += 1

    def take(self) -> bool:
        """One more connection for a body that has one. False if it must do without; else call `leave(taken=True)`."""
        with self._lock:
            if self._expected >= self.at_a_time:
                return False
            self._taken += 1
            return True

    def leave(self, *, taken: bool = False) -> None:
        """A body ended, or a connection that `take` gave is free again."""
        with self._lock:
            if taken:
                self._taken -= 1
            else:
                self._bodies -= 1
        self._tell()

    @property
    def gives_way(self) -> bool:
        """Whether an extra connection should end soon, because bodies wait for it or fewer should be in use now."""
        return self._taken > 0 and self._expected > self.at_a_time

    def moved(self, count: int) -> None:
        """So many bytes of bodies came, or went."""

    def answered(self, after_s: float) -> None:
        """The answer to a request for a body began to come, so long after the request."""

    def crowded(self) -> None:
        """The registry has too much to do (429, 503): fewer from now on."""

    @contextmanager
    def claim(self, most: int, changed: Callable[[], None]) -> Iterator[LevelClaim]:
        """See `Lanes`."""
        claim = LevelClaim(self, most, changed)
        with self._lock:
            self._claims.append(claim)
        try:
            yield claim
        finally:
            with self._lock:
                self._claims.remove(claim)

    @property
    def _expected(self) -> int:
        """Connections in use, and those for bodies that could begin now."""
        return self.with_bodies(sum(claim.wanted for claim in self._claims))

    def _tell(self) -> None:
        for claim in tuple(self._claims):
            claim.changed()


class LevelClaim:
    """What one run wants of a `Level`; see `Claim`."""

    def __init__(self, level: Level, most: int, changed: Callable[[], None]) -> None:
        self._level = level
        self.most = most
        self.changed = changed
        self.wanted = 0

    @property
    def at_a_time(self) -> int:
        """See `Claim`."""
        return min(self.most, self._level.at_a_time)

    def has_room(self, under_way: int) -> bool:
        """See `Claim`."""
        return under_way < self.at_a_time and self._level.with_bodies(under_way) < self._level.most

    def want(self, count: int) -> None:
        """See `Claim`."""
        self.wanted = min(count, self.most)
