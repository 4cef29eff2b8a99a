"""The time that a check may take in all: when it is over, whatever still waits for an answer ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from transload.clock import SYSTEM_CLOCK
from transload.errors import Interrupted
from transload.threads import Cancellation


class Watch:
    """Cancels `cancellation` after `budget_s` seconds of asking. Planning a set does not count."""

    def __init__(self, cancellation: Cancellation, budget_s: float) -> None:
        self.cancellation = cancellation
        self.is_over = False
        self._left_s = budget_s

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Count the time of the block."""
        began_s = SYSTEM_CLOCK.monotonic_s()
        timer = threading.Timer(max(self._left_s, 0), self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._left_s -= SYSTEM_CLOCK.monotonic_s() - began_s

    def _end(self) -> None:
        self.is_over = True
        self.cancellation.cancel()
        self.cancellation.end_silence()

    def check_user(self, error: Interrupted) -> None:
        """Raise the interruption if it came from the user, not from this watch."""
        if not self.is_over:
            raise error
