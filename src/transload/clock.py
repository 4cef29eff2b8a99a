"""Time and sleep as an argument, so that waiting can be tested without waiting."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock, wall time, and a sleep that a cancellation can end early."""

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def wall_s(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
        """Wait; return early when `wake` is set."""
        ...


class SystemClock:
    """The real clock."""

    # Called a dozen times for each request, so no Python function is put around them.
    monotonic_s = staticmethod(time.monotonic)
    wall_s = staticmethod(time.time)

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:  # noqa: D102 - see Clock
        if wake is None:
            time.sleep(seconds)
        else:
            wake.wait(seconds)


SYSTEM_CLOCK: Clock = SystemClock()
