"""How long a host may give no useful answer: one budget for all threads, spent only while a request waits for it.

An answer is useful if it is whole and does not ask to come again later; so is a body that moves at the least rate. So
neither endless 503s nor headers without a body count. More attempts, requests or blobs do not make the budget longer.

An answer counts for its own kind of request only: a host that answers every HEAD while all bodies hang is of no use.
The first kind whose budget is spent gives up the host for all kinds. One exception: a body that moves counts for all
requests with the same purpose, because a registry may take its time to store one large blob while others are sent.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

from transload.clock import Clock
from transload.errors import HostGivenUp, TransloadError
from transload.events import HostListener, HostTroubled
from transload.net.backoff import delay_s
from transload.net.settings import NetSettings
from transload.net.slots import Lane
from transload.values import define, frozen

WAY_ON = "check that it is up and can be reached, then run the same command again; --give-up-after sets how long to try"
_LAST_SHARE = 0.02
"""The share of the budget that is left for the last attempt."""
_PAUSE_S = 60.0
"""A pause between two attempts that is no longer than this counts as waiting for the host."""
_FIRST_REPORT_S = 2.5
_LIKELY = 0.75  # of the longest pause, which jitter shortens
_JUST_NOW_S = 15.0


def attempts_ahead(failures: int, left_s: float, cost_s: float) -> int:
    """About how many attempts fit into the time left, if each takes `cost_s`; at least one."""
    number = 0
    while left_s > 0 and number < 99:
        left_s -= delay_s(failures + number, None, 1.0) * _LIKELY + cost_s
        number += 1
    return max(1, number)


@frozen
class Kind:
    """Requests that are judged together: those with the same method, purpose and lane (see `HttpRequest`)."""

    method: str
    purpose: str
    lane: Lane


@define
class _Waiting:
    """What is known of one kind."""

    since_s: float
    asked_s: float
    asking: int = 0
    trouble: TransloadError | None = None
    reported: bool = False
    useful_s: float | None = None

    def idle_s(self, now_s: float) -> float:
        """For how long no request of this kind has waited for an answer."""
        return 0.0 if self.asking else now_s - self.asked_s


class Patience:
    """The budget of one host. Safe for threads."""

    def __init__(self, host: str, settings: NetSettings, clock: Clock, listen: HostListener) -> None:
        self.useful_s: float | None = None
        """When it last gave a useful answer of any kind."""
        self.known = False
        """Whether it ever answered. If it never did, its name is probably mistyped."""
        self._host = host
        self._budget_s = settings.give_up_after_s
        self._attempts = settings.attempts
        self._clock = clock
        self._listen = listen
        self._lock = threading.Lock()
        self._kinds: dict[Kind, _Waiting] = {}
        self._next_report_s = _FIRST_REPORT_S
        self._rests_until_s = 0.0
        self._over: str | None = None

    # --- what happens

    def begin(self, kind: Kind, now_s: float) -> None:
        """A thread waits for an answer of this kind from now on."""
        with self._lock:
            waiting = self._kinds.get(kind)
            if waiting is None:
                waiting = self._kinds[kind] = _Waiting(now_s, now_s)
            idle_s = waiting.idle_s(now_s)
            if waiting.trouble is None or idle_s > _PAUSE_S:
                waiting.since_s += idle_s
            waiting.asking += 1

    def end(self, kind: Kind, now_s: float) -> None:
        """The thread no longer waits."""
        with self._lock:
            waiting = self._kinds[kind]
            waiting.asking -= 1
            waiting.asked_s = now_s

    def answered(self) -> None:
        """The host answered, with any status."""
        self.known = True

    def useful(self, kind: Kind) -> None:
        """The host gave a useful answer of this kind, or a body of this kind moves."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            self.useful_s, self.known = now_s, True
            resting = now_s < self._rests_until_s  # it was asked before that, and answers while others wait
            well = [waiting for other, waiting in self._kinds.items() if _counts_for(kind, other)]
            since_s = min((waiting.since_s for waiting in well if waiting.reported), default=None)
            for waiting in well:
                waiting.since_s, waiting.trouble, waiting.reported = now_s, None, waiting.reported and resting
                waiting.useful_s = now_s
            in_trouble = any(waiting.reported and waiting.idle_s(now_s) <= _PAUSE_S for waiting in self._kinds.values())
            self._next_report_s = self._next_report_s if in_trouble else _FIRST_REPORT_S
        if since_s is not None and not in_trouble:
            self._listen(HostTroubled(self._host, "back", now_s - since_s, self._budget_s))

    def failed(
        self,
        kind: Kind,
        error: TransloadError,
        failures: int,
        pause_s: float | None,
        at_a_time: int | None = None,
        *,
        is_repeated: bool = True,
    ) -> None:
        """A request failed; the next one comes after `pause_s` (None: another thread has reported it already).

        `at_a_time` requests may be under way from now on. Only attempts of one that `is_repeated` are counted.
        """
        with self._lock:
            if self._over is not None:
                return
            waiting = self._kinds[kind]
            waiting.trouble = error
            left_s = self._left_s(waiting)
            if not self.known and failures >= self._attempts:
                self._over = error.message
            elif left_s <= self._margin_s * 1.01:  # a pause up to the margin may end a little before it
                self._give_up(waiting)
            if self._over is not None:
                return
            waiting.reported = waiting.reported or pause_s is not None
            self._rests_until_s = max(self._rests_until_s, self._clock.monotonic_s() + (pause_s or 0.0))
        if pause_s is None:
            return
        troubled_s = self._budget_s - left_s
        ahead = attempts_ahead(failures, left_s, max(0.0, troubled_s / failures - pause_s))
        attempts = failures + ahead if self.known else self._attempts
        self._listen(
            HostTroubled(
                self._host,
                "retrying",
                troubled_s,
                left_s,
                attempt=failures + 1 if is_repeated else 0,
                attempts=attempts if is_repeated else 0,
                wait_s=pause_s,
                error=error,
                side=error.side,
                until_s=self._clock.wall_s() + pause_s,
                at_a_time=at_a_time,
            )
        )

    def refuse(self, kind: Kind, wish_s: float, error: TransloadError) -> bool:
        """Whether the host asks for a longer wait than the budget allows; then it is given up."""
        with self._lock:
            waiting = self._kinds[kind]
            if wish_s <= self._left_s(waiting) - self._margin_s:
                return False
            waiting.trouble = error
            self._over = f"{error.message}, and asks to wait for {wish_s:.0f} s"
            return True

    # --- what to do

    def longest_pause_s(self, kind: Kind) -> float:
        """The longest wait before the next attempt that the budget allows."""
        with self._lock:
            return max(0.0, self._left_s(self._kinds[kind]) - self._margin_s)

    def may_count_closed(self, kind: Kind) -> bool:
        """Whether the host may refuse a body because it still counts connections that we closed a moment ago.

        A server sees the end of a connection late. While it does, it refuses those above the number that it allows.
        """
        with self._lock:
            useful_s = self._kinds[kind].useful_s
            just_now = useful_s is not None and self._clock.monotonic_s() - useful_s < _JUST_NOW_S
            return kind.lane == "read" and just_now

    def check(self, doing: str) -> None:
        """Raise `HostGivenUp` once the budget is spent."""
        if self.is_over():
            raise self.error(doing)

    def is_over(self) -> bool:
        """Whether the host is given up. This is final, whatever it answers later."""
        with self._lock:
            for waiting in self._kinds.values():
                if self._over is None and waiting.asking and self._left_s(waiting) <= 0:
                    self._give_up(waiting)
            return self._over is not None

    def error(self, doing: str) -> HostGivenUp:
        """The error to raise then. It is new each time, because callers add to it which side failed."""
        return HostGivenUp(
            self._over or f"{doing}: {self._host} is given up",
            subject=self._host,
            hint=WAY_ON,
        )

    def tell_silence(self, lively: Collection[Kind] = ()) -> None:
        """Report that requests wait for an answer, not too often. Kinds that are `lively` (they move) do not count."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            silent = [
                waiting
                for kind, waiting in self._kinds.items()
                if waiting.asking and not any(_counts_for(moving, kind) for moving in lively)
            ]
            longest = min(silent, key=lambda waiting: waiting.since_s, default=None)
            silent_s = 0.0 if longest is None else now_s - longest.since_s
            if longest is None or self._over is not None or silent_s < self._next_report_s:
                return
            while self._next_report_s <= silent_s:
                self._next_report_s *= 2
            longest.reported = True
        left_s = max(0.0, self._budget_s - silent_s)
        until_s = self._clock.wall_s() + left_s
        self._listen(HostTroubled(self._host, "silent", silent_s, left_s, until_s=until_s))

    # --- inside, with the lock held

    @property
    def _margin_s(self) -> float:
        return self._budget_s * _LAST_SHARE

    def _left_s(self, waiting: _Waiting) -> float:
        return self._budget_s - (self._clock.monotonic_s() - waiting.since_s)

    def _give_up(self, waiting: _Waiting) -> None:
        troubled_s = self._clock.monotonic_s() - waiting.since_s
        why = f": {waiting.trouble.message}" if waiting.trouble else ""
        others = self.useful_s is not None and self.useful_s > waiting.since_s
        what = "answers some requests, but gave no useful answer to others" if others else "gave no useful answer"
        self._over = f"{self._host} {what} for {max(1, round(troubled_s))} s{why}"


def _counts_for(useful: Kind, other: Kind) -> bool:
    return useful == other or (useful.lane != "small" and useful.purpose == other.purpose)
