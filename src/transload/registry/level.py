"""How many bodies move at a time at one registry, in one direction: counted, measured and decided here, without I/O.

Two kinds of connections move bytes: one for each body, and extra ones for bodies that are read in several places at
once. Bodies come first: an extra connection is given only if no body could use it, and is called back when one can.

What all of them carry is measured over several round trips, while as many are in use as may be. `Climb` decides.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from transload.clock import Clock
from transload.registry.climbing import Climb
from transload.values import define

AT_FIRST, FAR_AT_FIRST = 8, 16
FAR_S = 0.1
"""So late an answer comes only from far away, where its window limits each connection, and measuring takes long."""
_ROUND_TRIPS = 3
_LEAST_S, _LONGEST_S = 0.1, 3.0  # of a measurement
_PIECES = 2  # that each connection moves in a measurement, at least
_DRAWN_OUT = 8  # times as long as usual, until there are so many pieces
_FULL = 0.8  # share of the pieces that come while enough bodies are there
_ANSWERS = 5  # odd, so that one of them is the median
_LATE, _LATE_S = 4.0, 0.5  # times, and seconds, beyond the best answer
_NEEDED_S = 5.0  # after a small request has needed a connection, others will
_AT_ONCE_S = 1.0  # refusals within this time count as one


Way = Literal["up", "down"]


@define
class _Window:
    """One measurement. While it `settles`, nothing is measured: the number in use goes to what it should be now."""

    began_s: float
    settles: Way | None = None
    reached_s: float | None = None
    bytes: int = 0
    pieces: int = 0
    full: int = 0
    at_s: float = 0.0
    used_s: float = 0.0
    """The seconds that connections were in use, all together."""

    def use(self, in_use: int, now_s: float) -> None:
        """So many were in use since the last call."""
        self.used_s += in_use * (now_s - max(self.at_s, self.began_s))
        self.at_s = now_s

    def count(self, size: int, *, full: bool) -> None:
        self.bytes += size
        self.pieces += 1
        self.full += full

    def is_over(self, now_s: float, long_s: float, pieces: int) -> bool:
        took_s = now_s - self.began_s
        return took_s >= long_s and (self.pieces >= pieces or took_s >= _DRAWN_OUT * long_s)

    @property
    def is_full(self) -> bool:
        return self.full >= _FULL * self.pieces

    @property
    def each(self) -> float:
        """Bytes a second that a connection carried while it was in use."""
        return self.bytes / max(1e-9, self.used_s)


def _nothing(at_a_time: int) -> None:
    """For a level that is not remembered."""


class Level:
    """How many bodies move at a time: `at_a_time` now, never more than `most`. Safe for threads; nothing here waits.

    `found` is told which number was found to be useful. It starts with `at_first`, such as an earlier run found.
    Where even `most` is useful, so many extra connections may go `beyond` it as long as nothing else needs them.
    """

    def __init__(
        self,
        clock: Clock,
        most: int,
        at_first: int | None = None,
        found: Callable[[int], None] = _nothing,
        *,
        beyond: int = 0,
    ) -> None:
        self._clock = clock
        self._most = max(1, most)
        self._beyond = beyond
        self._needed_s = float("-inf")
        self._climb = Climb(level=min(at_first or AT_FIRST, self._most))
        self._found = found
        self._lock = threading.Lock()
        self._bodies = 0
        self.taken = 0
        """Connections that `take` gave."""
        self._claims: list[LevelClaim] = []
        self._window = _Window(clock.monotonic_s(), settles="up")
        self._is_guess = not at_first
        self.nearest_s: float | None = None
        """Seconds until the fastest answer to a small request; None if there was none."""
        self._answers: deque[float] = deque(maxlen=_ANSWERS)
        self._best_s: float | None = None
        self._refused_s = float("-inf")

    @property
    def at_a_time(self) -> int:
        """How many bodies may move now."""
        return max(1, min(self._climb.level, self.most))

    @property
    def most(self) -> int:
        """How many may move at most: what the host leaves for bodies, and what the runs that use it allow."""
        return int(min(self._most, self._asked))

    @property
    def _asked(self) -> float:
        return sum(claim.most for claim in self._claims) or math.inf

    @property
    def in_use(self) -> int:
        """How many connections move bodies now."""
        return self._bodies + self.taken

    def enter(self) -> None:
        """A body begins to move."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            if not self.in_use and now_s - self._window.at_s > self._window_s:  # nothing has moved for long
                self._window = _Window(now_s, settles="up")
            self._use()
            self._bodies += 1
            self._note_reached()

    @property
    def spare(self) -> int:
        """How many more connections may be taken now."""
        return max(0, self.with_extra - self.taken - self._heavy)

    @property
    def with_extra(self) -> int:
        """How many connections may be in use, with connections beyond those for bodies."""
        at_a_time, needed = self.at_a_time, self._clock.monotonic_s() - self._needed_s < _NEEDED_S
        return at_a_time if needed or at_a_time < self._most else int(min(self._most + self._beyond, self._asked))

    def gave_way(self) -> None:
        """A connection beyond those for bodies was needed for a small request; more will be, so none is taken."""
        self._needed_s = self._clock.monotonic_s()

    def take(self) -> bool:
        """One more connection for a body that has one. False if it must do without; else call `leave(taken=True)`."""
        with self._lock:
            if not self.spare:
                return False
            self._use()
            self.taken += 1
            self._note_reached()
            return True

    def leave(self, *, taken: bool = False) -> None:
        """A body ended, or a connection that `take` gave is free again."""
        with self._lock:
            self._use()
            if taken:
                self.taken -= 1
            else:
                self._bodies -= 1
            self._note_reached()
        if taken:
            self._tell()

    @property
    def gives_way(self) -> bool:
        """Whether an extra connection should end soon, because bodies wait for it or fewer should be in use now."""
        return self.taken > 0 and self.taken + self._heavy > self.with_extra

    def moved(self, count: int) -> None:
        """So many bytes of bodies came, or went."""
        before = self.at_a_time
        with self._lock:
            window, now_s = self._window, self._clock.monotonic_s()
            if window.settles and not self._has_settled(now_s):
                return
            window.count(count, full=self._expected >= before)
            if window.is_over(now_s, self._window_s, _PIECES * self.in_use):
                window.use(self.in_use, now_s)
                self._measured(window.each * before if window.is_full else None, now_s)
        if self.at_a_time != before:
            self._tell()

    def answered(self, after_s: float) -> None:
        """The answer to a request for a body began to come, so long after the request."""
        with self._lock:
            self._answers.append(after_s)
            self._best_s = after_s if self._best_s is None else min(self._best_s, after_s)

    def heard(self, after_s: float) -> None:
        """A small request was answered, so long after it was asked. Over a long wire, more bodies begin at a time."""
        with self._lock:
            self.nearest_s = after_s if self.nearest_s is None else min(self.nearest_s, after_s)
            if self._is_guess and self._climb.is_new:
                self._climb.level = min(self._most, FAR_AT_FIRST if self.is_far else AT_FIRST)

    @property
    def is_far(self) -> bool:
        """Whether even the fastest answer took long."""
        return self.nearest_s is not None and self.nearest_s >= FAR_S

    def crowded(self) -> None:
        """The registry has too much to do (429, 503): fewer from now on."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            if now_s - self._refused_s < _AT_ONCE_S:
                return
            allowed = max([self.with_extra, *(claim.at_a_time for claim in self._claims)])
            self._refused_s = now_s
            self._climb.refused(max(1, min(self.in_use, allowed)))  # small bodies are not held back
            self._window = _Window(now_s, settles="down")
            self._note_reached()
            self._found(self._climb.level)

    @property
    def was_crowded(self) -> bool:
        """Whether the registry has refused to do so much at a time."""
        return self._refused_s != float("-inf")

    @contextmanager
    def claim(self, most: int, changed: Callable[[], None], *, leads: bool = True) -> Iterator[LevelClaim]:
        """See `Lanes`."""
        claim = LevelClaim(self, most, changed, leads)
        with self._lock:
            self._claims.append(claim)
        try:
            yield claim
        finally:
            with self._lock:
                self._claims.remove(claim)

    # --- measuring

    def _use(self) -> None:
        self._window.use(self.in_use, self._clock.monotonic_s())

    def _note_reached(self) -> None:
        """Note when as many are in use as should be."""
        window, at_a_time = self._window, self.at_a_time
        reached = self.in_use >= at_a_time if window.settles == "up" else self.in_use <= at_a_time
        if reached and window.reached_s is None:
            window.reached_s = self._clock.monotonic_s()

    def _has_settled(self, now_s: float) -> bool:
        """Whether as many are in use as should be, and the newest of them have begun to carry something."""
        window, since_s = self._window, self._window.reached_s
        is_long = window.settles == "up" and now_s - window.began_s >= self._window_s + 2 * (self._best_s or 0)
        if is_long or (since_s is not None and now_s - since_s >= (self._best_s or 0)):
            self._window = _Window(now_s, settles=None)
        return False

    @property
    def _window_s(self) -> float:
        return min(_LONGEST_S, max(_LEAST_S, _ROUND_TRIPS * (self._best_s or 0)) * self._climb.patience)

    def _measured(self, rate: float | None, now_s: float) -> None:
        climb, before = self._climb, self._climb.level
        if not self._leads:
            climb.measured(None, self.most)
        elif rate is not None:
            latency_s = sorted(self._answers)[_ANSWERS // 2] if len(self._answers) == _ANSWERS else None
            is_late = self._is_late(latency_s)
            climb.measured(rate, self.most, latency_s, is_late)
            if is_late:
                self._answers.clear()
                self._best_s = latency_s if climb.trial == "none" else self._best_s
            if climb.is_settled:
                self._found(climb.useful)
        self._window = _Window(now_s, settles=_way(before, climb.level))
        self._note_reached()

    @property
    def _leads(self) -> bool:
        """Whether what is carried depends on this number, rather than on that of the other side of the copy."""
        return not self._claims or any(claim.leads for claim in self._claims)

    def _is_late(self, latency_s: float | None) -> bool:
        best_s = self._best_s
        if latency_s is None or best_s is None:
            return False
        return latency_s > max(_LATE * best_s, best_s + _LATE_S)

    @property
    def _expected(self) -> int:
        """Connections in use, and those for bodies that could begin now."""
        return self.taken + max(self._bodies, sum(claim.wanted for claim in self._claims))

    @property
    def _heavy(self) -> int:
        """Large bodies in use, and those that could begin now. Small ones end before a connection has been opened."""
        return sum(claim.heavy for claim in self._claims) if self._claims else self._bodies

    def _tell(self) -> None:
        for claim in tuple(self._claims):
            claim.changed()


def _way(before: int, now: int) -> Way | None:
    return None if now == before else "up" if now > before else "down"


class LevelClaim:
    """What one run wants of a `Level`; see `Claim`."""

    def __init__(self, level: Level, most: int, changed: Callable[[], None], leads: bool) -> None:
        self._level = level
        self.most = most
        self.changed = changed
        self.leads = leads
        self.wanted = self.heavy = 0

    @property
    def at_a_time(self) -> int:
        """See `Claim`."""
        level = self._level
        return min(self.most, level.at_a_time if self.leads or level.was_crowded else level.most)

    def has_room(self, under_way: int) -> bool:
        """See `Claim`."""
        allowed = max(self._level.most, self._level.with_extra)
        return under_way < self.at_a_time and under_way + self._level.taken < allowed

    def want(self, count: int, heavy: int) -> None:
        """See `Claim`."""
        self.wanted, self.heavy = min(count, self.most), min(heavy, self.most)
