"""How long a host may give no useful answer: one budget for all threads, spent only while somebody waits for it.

Useful is a whole answer that does not ask to come again later, and a body that moves at the least rate. So neither
503 for ever nor headers without a body count, and nothing multiplies the budget: not attempts, not requests, not blobs.
"""

from __future__ import annotations

import threading

from transload.clock import Clock
from transload.errors import HostGivenUp, TransloadError
from transload.events import HostListener, HostTroubled
from transload.net.backoff import delay_s
from transload.net.settings import NetSettings

WAY_ON = "check that it is up and can be reached, then run the same command again; --give-up-after sets how long to try"
_LAST_SHARE = 0.02
"""What of the budget is left when the last attempt begins."""
_PAUSE_S = 60.0
"""Up to here, the time between two attempts counts as waiting for the host."""
_FIRST_TOLD_S = 2.5
_LIKELY = 0.75  # of the longest pause, which jitter shortens


def attempts_ahead(failures: int, left_s: float, cost_s: float) -> int:
    """About how many attempts fit into what is left, if each takes `cost_s`; at least one."""
    number = 0
    while left_s > 0 and number < 99:
        left_s -= delay_s(failures + number, None, 1.0) * _LIKELY + cost_s
        number += 1
    return max(1, number)


class Patience:
    """The budget of one host. Safe for threads."""

    def __init__(self, host: str, settings: NetSettings, clock: Clock, listen: HostListener) -> None:
        self.useful_s: float | None = None
        """When it last gave a useful answer."""
        self.known = False
        """Whether it ever answered at all. One that never did is more likely mistyped than resting."""
        self._host = host
        self._budget_s = settings.give_up_after_s
        self._attempts = settings.attempts
        self._clock = clock
        self._listen = listen
        self._lock = threading.Lock()
        self._asking = 0
        self._since_s = self._asked_s = clock.monotonic_s()
        self._trouble: TransloadError | None = None
        self._next_told_s = _FIRST_TOLD_S
        self._told = False
        self._over: str | None = None

    # --- what happens

    def begin(self) -> None:
        """Somebody waits for this host from now on."""
        with self._lock:
            idle_s = 0.0 if self._asking else self._clock.monotonic_s() - self._asked_s
            if self._trouble is None or idle_s > _PAUSE_S:
                self._since_s += idle_s
            self._asking += 1

    def end(self) -> None:
        """And no longer."""
        with self._lock:
            self._asking -= 1
            self._asked_s = self._clock.monotonic_s()

    def answered(self) -> None:
        """It speaks, whatever it says."""
        self.known = True

    def useful(self) -> None:
        """It gave a useful answer, or a body moves."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            since_s, told = self._since_s, self._told
            self._since_s = self.useful_s = now_s
            self._trouble, self._told, self._next_told_s, self.known = None, False, _FIRST_TOLD_S, True
        if told:
            self._listen(HostTroubled(self._host, "back", now_s - since_s, self._budget_s))

    def failed(self, error: TransloadError, failures: int, pause_s: float | None) -> None:
        """A request failed, and the next one is to come after `pause_s` (None: somebody else has told it already)."""
        with self._lock:
            if self._over is not None:
                return
            self._trouble = error
            left_s = self._left_s()
            if not self.known and failures >= self._attempts:
                self._over = error.message
            elif left_s <= self._margin_s * 1.01:  # a pause up to the margin may end a little before it
                self._give_up(error)
            if self._over is not None:
                return
            self._told = self._told or pause_s is not None
        if pause_s is None:
            return
        troubled_s = self._budget_s - left_s
        ahead = attempts_ahead(failures, left_s, max(0.0, troubled_s / failures - pause_s))
        attempts = failures + ahead if self.known else self._attempts
        self._listen(
            HostTroubled(self._host, "retrying", troubled_s, left_s, failures + 1, attempts, pause_s, error, error.side)
        )

    def refuse(self, wish_s: float, error: TransloadError) -> bool:
        """Whether the host asks to be left alone for longer than it gets; then it is given up."""
        with self._lock:
            if wish_s <= self._left_s() - self._margin_s:
                return False
            self._trouble = error
            self._over = f"{error.message}, and asks to wait for {wish_s:.0f} s"
            return True

    # --- what follows

    def longest_pause_s(self) -> float:
        """How long may be waited before the next attempt."""
        with self._lock:
            return max(0.0, self._left_s() - self._margin_s)

    def check(self, doing: str) -> None:
        """Raises `HostGivenUp` once the budget is spent."""
        if self.is_over():
            raise self.error(doing)

    def is_over(self) -> bool:
        """Whether the host is given up: for good, whatever it says later."""
        with self._lock:
            if self._over is None and self._asking and self._left_s() <= 0:
                self._give_up(self._trouble)
            return self._over is not None

    def error(self, doing: str) -> HostGivenUp:
        """What to raise then; a new one each time, since errors learn on their way up whose fault they are."""
        return HostGivenUp(
            self._over or f"{doing}: {self._host} is given up",
            subject=self._host,
            hint=WAY_ON,
        )

    def tell_silence(self) -> None:
        """Called again and again while requests wait for an answer: says so, not too often."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            silent_s = now_s - self._since_s
            due_s = self._next_told_s
            if self._over is not None or not self._asking or silent_s < due_s:
                return
            while self._next_told_s <= silent_s:
                self._next_told_s *= 2
            self._told = True
        self._listen(HostTroubled(self._host, "silent", silent_s, max(0.0, self._budget_s - silent_s)))

    # --- inside, with the lock held

    @property
    def _margin_s(self) -> float:
        return self._budget_s * _LAST_SHARE

    def _left_s(self) -> float:
        return self._budget_s - (self._clock.monotonic_s() - self._since_s)

    def _give_up(self, error: TransloadError | None) -> None:
        troubled_s = self._clock.monotonic_s() - self._since_s
        why = f": {error.message}" if error else ""
        self._over = f"{self._host} gave no useful answer for {max(1, round(troubled_s))} s{why}"
