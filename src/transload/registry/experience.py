"""What connections to one registry are like, as far as this run has seen."""

from __future__ import annotations

from collections import deque

_KEPT = 16
GUESSED_RATE = 10e6
"""Bytes a second of one connection, as long as nothing is known."""
_GUESSED_LATENCY_S = 0.1


class Experience:
    """Bytes a second of one connection, and seconds until its answer begins: the last ones that were measured."""

    def __init__(self) -> None:
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
        return median(known) if known else _GUESSED_LATENCY_S
