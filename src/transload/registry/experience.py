"""What connections to one registry are like, as far as this run has seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_KEPT = 16
_GUESSED_RATE, _GUESSED_WINDOW, _GUESSED_LATENCY_S = 10e6, 1 << 20, 0.1
HELPS, NO_HELP = 1.5, 1.2
"""Several connections that bring so many times what one does are of use, or of none."""
_JUDGED_S, _JUDGED_ROUND_TRIPS = 1.5, 2


class Experience:
    """Bytes a second of one connection, and seconds until its answer begins: the last ones that were measured.

    `nearest_s` gives the time of the fastest answer of any kind; None if there was none.
    """

    def __init__(self, nearest_s: Callable[[], float | None] = lambda: None) -> None:
        self._nearest_s = nearest_s
        self.rates: deque[float] = deque(maxlen=_KEPT)
        self.latencies_s: deque[float] = deque(maxlen=_KEPT)

    @property
    def rate(self) -> float | None:
        """Of one connection; None as long as nothing is known."""
        from statistics import median  # it brings fractions and decimal; only large blobs need it

        known = tuple(self.rates)
        return median(known) if known else None

    @property
    def latency_s(self) -> float:
        """Until an answer begins."""
        from statistics import median

        known = tuple(self.latencies_s)
        return median(known) if known else self._nearest_s() or _GUESSED_LATENCY_S

    @property
    def round_trip_s(self) -> float:
        """Of the line; no longer than until an answer begins, which may have to be fetched there first."""
        return min(self.latency_s, self._nearest_s() or self.latency_s)

    @property
    def expected_rate(self) -> float:
        """The rate; as long as it is not known, what may be expected of one connection over such a line."""
        return self.rate or min(_GUESSED_RATE, _GUESSED_WINDOW / max(1e-9, self.latency_s))

    @property
    def judged_s(self) -> float:
        """Seconds after which it can be said what connections bring."""
        return max(_JUDGED_S, _JUDGED_ROUND_TRIPS * self.latency_s)
