"""How fast bytes have moved in the last seconds, and the time left if it can be known. Pure."""

from __future__ import annotations

from collections import deque

WINDOW_S = 10.0
_LONG = 3  # the time left follows a window so many times as long: a line that comes and goes does not make it jump
_AGREE = 2.0  # and is not known while the rates over both windows differ by more than this: something has changed
_SAMPLE_S = 0.2
_SETTLED_S = 3.0  # with a rate measured over less than this, the time left would be a wild guess
_STILL_S = 3.0  # after this long without a byte, nobody knows when the next one comes
CRAWLING = 1024.0
"""Bytes per second. A slower transfer has just begun, or is about to stop."""


class Speed:
    """Takes the number of bytes moved so far, and answers at any moment. Times are seconds of one clock."""

    def __init__(self, began_s: float, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._samples: deque[tuple[float, int]] = deque([(began_s, 0)])
        self._moved = 0
        self._moved_s = began_s
        self._first_s: float | None = None

    def heard(self, moved: int, now_s: float) -> None:
        """Take in how many bytes have moved by now."""
        if moved > self._moved:
            if self._first_s is None:
                self._first_s = now_s
                if self.still_s(now_s) >= _STILL_S:  # a long wait for the first byte says nothing of the line
                    self._samples = deque([(now_s - _SAMPLE_S, 0)])
            self._moved, self._moved_s = moved, now_s
        if now_s - self._samples[-1][0] >= _SAMPLE_S:
            self._samples.append((now_s, moved))
            self._forget(now_s)

    def rate(self, now_s: float) -> float:
        """Bytes per second over the window."""
        self._forget(now_s)
        return self._over(self._window_s, now_s)

    def still_s(self, now_s: float) -> float:
        """How long nothing has moved, in seconds."""
        return now_s - self._moved_s

    def left_s(self, open_bytes: int, now_s: float) -> float | None:
        """Seconds until `open_bytes` have moved; None if that cannot be known: too early, or nothing moves.

        Nor when no bytes are open: bytes say nothing of the requests that are left.
        """
        settled = self._first_s is not None and now_s - self._first_s >= _SETTLED_S
        rate, steady = self.rate(now_s), self._over(_LONG * self._window_s, now_s)
        if not settled or self.still_s(now_s) >= _STILL_S or rate < CRAWLING or open_bytes <= 0:
            return None
        agree = steady / _AGREE <= rate <= steady * _AGREE
        return open_bytes / steady if agree else None

    def _over(self, window_s: float, now_s: float) -> float:
        """Bytes per second since the last sample that is older than the window, or since the first."""
        since_s, moved = self._samples[0]
        for at_s, had in reversed(self._samples):
            if at_s <= now_s - window_s:
                since_s, moved = at_s, had
                break
        return (self._moved - moved) / (now_s - since_s) if now_s > since_s else 0.0

    def _forget(self, now_s: float) -> None:
        while len(self._samples) > 1 and self._samples[1][0] <= now_s - _LONG * self._window_s:
            self._samples.popleft()
