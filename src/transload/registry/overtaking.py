"""When the connection that the next bytes should come on is so slow that another would bring them sooner. No I/O."""

from __future__ import annotations

from transload.clock import Clock
from transload.registry.experience import Experience

_SEEN_S = 2.0  # a shorter time is not enough to call a connection slow
_MARGIN_S = 0.5
_PAUSE_S = 0.6
_TIMES = 3  # for one reading


class Overtaking:
    """Judges the first connection of a reading, while others read what follows. Safe for one thread at a time."""

    def __init__(self, clock: Clock, known: Experience) -> None:
        self._clock = clock
        self._known = known
        self._left = _TIMES
        self._mark: tuple[int, float] | None = None
        self._looked_s = float("-inf")

    def is_due(self, at: int, until: int) -> bool:
        """Whether to ask again for the bytes from `at` to before `until`. True but a few times.

        It is called again and again while the host has to act next; a pause means that we took the bytes slowly.
        """
        now_s, others = self._clock.monotonic_s(), self._known.rate
        pause_s, self._looked_s = now_s - self._looked_s, now_s
        if at >= until or others is None or not self._left or pause_s > _PAUSE_S:
            self._mark = None
        if at >= until or others is None or not self._left:
            return False
        if self._mark is None:
            self._mark = at, now_s
        before, since_s = self._mark
        if now_s - since_s < _SEEN_S:
            return False
        self._mark = None
        rate, rest = (at - before) / (now_s - since_s), until - at
        if rest / max(rate, 1.0) <= 2 * (self._known.latency_s + rest / others) + _MARGIN_S:
            return False
        self._left -= 1
        return True
