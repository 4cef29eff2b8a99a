"""When a run is to end while a blob comes on several connections: how long its reading still goes on."""

from __future__ import annotations

from transload.clock import Clock
from transload.errors import Interrupted
from transload.threads import Cancellation

_GAPS_S = 0.8  # for gaps to close; what is sent then is cut after a second (`net.flight`)
_HANDING_S = 2.0  # for what has come, where it can still be sent


class Parting:
    """The moment in which the run was asked to end, as it is first noticed here."""

    def __init__(self, clock: Clock, cancellation: Cancellation) -> None:
        self._clock = clock
        self._cancellation = cancellation
        self._since_s: float | None = None

    @property
    def is_asked(self) -> bool:
        """Whether the run is to end."""
        return self._cancellation.cancelled

    @property
    def left_s(self) -> float:
        """Seconds in which gaps may still close."""
        return _GAPS_S - self._age_s

    def check(self, *, goes_on: bool) -> None:
        """Raise `Interrupted` if the run is to end, and nothing `goes_on` or that takes too long."""
        if self.is_asked and not (goes_on and self._age_s < _HANDING_S):
            raise Interrupted("interrupted")

    @property
    def _age_s(self) -> float:
        now_s = self._clock.monotonic_s()
        self._since_s = now_s if self._since_s is None else self._since_s
        return now_s - self._since_s
